#include "share-map/count_shares.h"
#include "share-map/registers_arm64.h"
#include "share-map/count_shares_lanes.h"

namespace meshward::share_map {

extern const CountKernels count_shares_neon = {{
    {count_shares<Neon, 1, false>, count_shares<Neon, 1, true>},
    {count_shares<Neon, 2, false>, count_shares<Neon, 2, true>},
    {count_shares<Neon, 4, false>, count_shares<Neon, 4, true>},
}};

}  // namespace meshward::share_map
