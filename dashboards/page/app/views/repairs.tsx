/** What repair does, and what came of it. */
import type { JSX } from 'preact';
import { useAnswer } from '../ask.ts';
import { type EndedRepair, useLive } from '../live.ts';
import { Answered, Card, Empty, Mark, Rows, View, Waiting } from '../parts/parts.tsx';
import { RunningRepairs } from '../parts/running.tsx';
import { Link } from '../route.tsx';
import { brief, bytes, duration, moment } from '../words.ts';

const listed = 100;
const refreshMs = 5000;
const outcomeColors: Readonly<Record<string, string>> = {
  repaired: 'healthy',
  partial: 'at-risk',
  'not-needed': 'departed',
  failed: 'lost',
  cancelled: 'departed',
};

export function RepairsView(): JSX.Element {
  const { state } = useLive();
  const asked = useAnswer<{ repairs: readonly EndedRepair[] }>(`/v1/repairs?limit=${listed}`, refreshMs);
  return (
    <View title="Repairs" question="What is being mended, and does it work?">
      <div class="grid">
        <Card title="Running now" size="whole">
          {state === null ? <Waiting /> : <RunningRepairs state={state} />}
        </Card>
        <Card title="Ended" note={`the newest ${listed} at most`} size="whole">
          <Answered asked={asked}>{({ repairs }) => <Ended repairs={repairs} />}</Answered>
        </Card>
      </div>
    </View>
  );
}

function Ended({ repairs }: { readonly repairs: readonly EndedRepair[] }): JSX.Element {
  if (repairs.length === 0) return <Empty>No repair has ended yet.</Empty>;
  return (
    <Rows name="Ended repairs">
      <thead>
        <tr>
          <th>ended</th>
          <th>file</th>
          <th>outcome</th>
          <th class="number">available</th>
          <th class="number">written</th>
          <th class="number">read</th>
          <th class="number">took</th>
          <th>why</th>
        </tr>
      </thead>
      <tbody id="done">
        {repairs.map((repair) => (
          <tr key={repair.id}>
            <td class="number">{moment(repair.endedAtMs)}</td>
            <td class="mono">
              <Link href={`/files?file=${repair.storageIndex}`}>{brief(repair.storageIndex)}</Link>
            </td>
            <td>
              <Mark
                of={outcomeColors[repair.outcome] ?? 'departed'}
                word={repair.errorCode === '' ? repair.outcome : `${repair.outcome}: ${repair.errorCode}`}
              />
            </td>
            <td class="number">
              {repair.availableBefore} → {repair.availableAfter}
            </td>
            <td class="number">{bytes(repair.bytesWritten)}</td>
            <td class="number">{bytes(repair.bytesRead)}</td>
            <td class="number">{duration(repair.endedAtMs - repair.startedAtMs)}</td>
            <td class="text">{repair.cause}</td>
          </tr>
        ))}
      </tbody>
    </Rows>
  );
}
