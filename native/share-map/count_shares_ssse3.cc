#include "share-map/count_shares.h"
#include "share-map/registers_x64.h"
#include "share-map/count_shares_lanes.h"

namespace meshward::share_map {

extern const CountKernels count_shares_ssse3 = {{
    {count_shares<Xmm, 1, false>, count_shares<Xmm, 1, true>},
    {count_shares<Xmm, 2, false>, count_shares<Xmm, 2, true>},
    {count_shares<Xmm, 4, false>, count_shares<Xmm, 4, true>},
}};

}  // namespace meshward::share_map
