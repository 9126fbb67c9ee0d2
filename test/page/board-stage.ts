/** The page before a real ClickHouse that holds the story of a day, asked by a user who only reads. */
import { openReader } from '#dashboards/page/boards/reader.ts';
import { systemClock } from '#mesh/clock.ts';
import { defaultRetention } from '#store/retention.ts';
import { startDashboardServer } from '../dashboards/server.ts';
import { minuteMs, moments } from '../dashboards/story-mesh.ts';
import { type ToldStory, tellStory } from '../dashboards/story-rows.ts';
import { meshes } from './meshes.ts';
import { openStage, type Stage } from './stage.ts';

export interface BoardStage extends AsyncDisposable {
  readonly stage: Stage;
  readonly story: ToldStory;
}

const database = 'mesh_of_the_page';

/** @param minutes of the day that are told: until some time after the zone was lost, unless said otherwise. */
export async function openBoardStage(minutes: number = moments.proofs + 20): Promise<BoardStage> {
  const server = await startDashboardServer([database]);
  const endMs = Math.floor(Date.now() / minuteMs) * minuteMs;
  const story = await tellStory(await server.openDatabase(database), endMs, minutes);
  const { url, username, password } = server.reader;
  const ask = openReader({ urls: [url], username, password, database, clock: systemClock });
  const stage = await openStage({ mesh: meshes.lost(), reader: { database, retention: defaultRetention, ask } });
  return {
    stage,
    story,
    async [Symbol.asyncDispose]() {
      await stage.close();
      await ask.close();
      await server[Symbol.asyncDispose]();
    },
  };
}
