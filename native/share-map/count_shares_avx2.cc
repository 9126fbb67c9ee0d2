#include "share-map/count_shares.h"
#include "share-map/registers_x64.h"
#include "share-map/count_shares_lanes.h"

namespace meshward::share_map {

extern const CountKernels count_shares_avx2 = {{
    {count_shares<Xmm, 1, false>, count_shares<Xmm, 1, true>},
    {count_shares<Ymm, 1, false>, count_shares<Ymm, 1, true>},
    {count_shares<Ymm, 2, false>, count_shares<Ymm, 2, true>},
}};

}  // namespace meshward::share_map
