/** Posts batches over kept connections, one post at a time on each, as agents do. */

import { postBody, randomColumns } from './batches.ts';
import { answerParent, ownCpuSeconds } from './child.ts';
import type { TextIdentity } from './identities.ts';
import { PostLane } from './post-lane.ts';

export interface PostsStart {
  readonly port: number;
  readonly identities: readonly TextIdentity[];
}

export interface PostsRound {
  readonly eventsPerBatch: number;
  /** At least so many in all. */
  readonly events: number;
}

export interface PostsFigures {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly events: number;
  readonly posts: number;
}

let lanes: PostLane[] = [];
let incarnation = 0;

answerParent({
  async connect({ port, identities }: PostsStart): Promise<void> {
    for (const lane of lanes) lane.close();
    lanes = await Promise.all(identities.map((identity) => PostLane.connect(identity, port)));
  },
  async post({ eventsPerBatch, events }: PostsRound): Promise<PostsFigures> {
    incarnation++;
    const columns = Array.from({ length: 8 }, () => randomColumns(eventsPerBatch));
    const posts = Math.ceil(events / eventsPerBatch);
    const startedMs = performance.now();
    const startedCpu = ownCpuSeconds();
    let begun = 0;
    const run = async (lane: PostLane): Promise<void> => {
      for (let sequence = 1; begun < posts; sequence++) {
        const batch = columns[begun++ % columns.length] as (typeof columns)[number];
        const status = await lane.post(postBody(lane.identity.peerId, { incarnation, sequence }, batch));
        if (status !== 200) throw new Error(`the server answered ${status}`);
      }
    };
    await Promise.all(lanes.map(run));
    return {
      seconds: (performance.now() - startedMs) / 1000,
      cpuSeconds: ownCpuSeconds() - startedCpu,
      events: posts * eventsPerBatch,
      posts,
    };
  },
  end() {
    for (const lane of lanes) lane.close();
  },
});
