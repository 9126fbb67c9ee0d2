/** Every dashboard, in the order in which a reader goes through them. */
import type { PlainDashboard } from '../build/plain.ts';
import { campaigns } from './campaigns.ts';
import { capacity } from './capacity.ts';
import { damage } from './damage.ts';
import { files } from './files.ts';
import { mesh } from './mesh.ts';
import { peers } from './peers.ts';
import { pipeline } from './pipeline.ts';
import { repair } from './repair.ts';

export const dashboards: readonly PlainDashboard[] = [
  mesh,
  damage,
  files,
  repair,
  campaigns,
  peers,
  pipeline,
  capacity,
];
