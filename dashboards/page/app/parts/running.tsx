/** What repairers do at this moment. */
import type { JSX } from 'preact';
import type { LiveState } from '../live.ts';
import { Link } from '../route.tsx';
import { brief, bytes, percent, whole } from '../words.ts';
import { Bar, Empty, Mark, Notice, Rows } from './parts.tsx';

export function RunningRepairs({ state }: { readonly state: LiveState }): JSX.Element {
  const { repairs, total } = state.running;
  const { brake, answering } = state.repairers;
  return (
    <>
      {brake === null ? null : (
        <Notice tone="warn">
          <p>
            <b>Bulk repair holds</b>
          </p>
          <p>{brake}. Critical files are repaired all the same.</p>
        </Notice>
      )}
      {repairs.length === 0 ? (
        <Empty>{answering === 0 ? 'No repairer answers.' : 'Nothing is being repaired.'}</Empty>
      ) : (
        <Rows name="Repairs running">
          <thead>
            <tr>
              <th>file</th>
              <th>grade</th>
              <th class="number">shares</th>
              <th>progress</th>
              <th class="number">moved</th>
            </tr>
          </thead>
          <tbody id="running">
            {repairs.map((repair) => (
              <tr key={repair.storageIndex}>
                <td class="mono">
                  <Link href={`/files?file=${repair.storageIndex}`}>{brief(repair.storageIndex)}</Link>
                </td>
                <td>
                  <Mark of={repair.grade} />
                </td>
                <td class="number">+{repair.shares}</td>
                <td>
                  <span class="progress">
                    <Bar parts={[['done', repair.progress]]} label={`${percent(repair.progress)} done`} />
                  </span>
                </td>
                <td class="number">{bytes(repair.bytes)}</td>
              </tr>
            ))}
          </tbody>
        </Rows>
      )}
      {total > repairs.length ? <p class="quiet small">and {whole(total - repairs.length)} more</p> : null}
    </>
  );
}
