/** Planned repairs: how far they are, what they cost, and who wanted them why. */
import type { JSX } from 'preact';
import type { CampaignAnswer, CampaignSummary, ScheduleList } from '../answers.ts';
import { useAnswer } from '../ask.ts';
import { Answered, Bar, Card, Empty, Figure, Mark, Rows, View } from '../parts/parts.tsx';
import { Link, useRoute } from '../route.tsx';
import { ago, bytes, duration, moment, percent, whole } from '../words.ts';

const refreshMs = 3000;
const stateColors: Readonly<Record<string, string>> = {
  planned: 'departed',
  approved: 'draining',
  running: 'healthy',
  paused: 'suspect',
  done: 'healthy',
  cancelled: 'departed',
  failed: 'lost',
};

export function CampaignsView(): JSX.Element {
  const { path } = useRoute();
  const name = path.split('/')[2] ?? '';
  return name === '' ? <List /> : <One reference={decodeURIComponent(name)} />;
}

function partOf({ files, plannedFiles, state }: CampaignSummary): number {
  if (state === 'done') return 1;
  return plannedFiles === 0 ? 0 : Math.min(1, files / plannedFiles);
}

function List(): JSX.Element {
  const asked = useAnswer<{ campaigns: readonly CampaignSummary[] }>('/v1/campaigns', refreshMs);
  const schedules = useAnswer<ScheduleList>('/v1/schedules', 10 * refreshMs);
  return (
    <View title="Campaigns" question="What was planned, how far is it, and who wanted it?">
      <div class="grid">
        <Card title="Campaigns" size="whole" note="newest first">
          <Answered asked={asked}>
            {({ campaigns }) =>
              campaigns.length === 0 ? (
                <Empty>
                  None was planned yet. <code>meshward campaign plan --margin ..70 --up-to 97</code> shows what one
                  would do and cost, and changes nothing.
                </Empty>
              ) : (
                <CampaignRows campaigns={campaigns} />
              )
            }
          </Answered>
        </Card>
        <Card title="Calendars" size="whole" note="what runs by itself">
          <Answered asked={schedules}>{(list) => <Schedules list={list} />}</Answered>
        </Card>
      </div>
    </View>
  );
}

function CampaignRows({ campaigns }: { readonly campaigns: readonly CampaignSummary[] }): JSX.Element {
  return (
    <Rows name="Campaigns">
      <thead>
        <tr>
          <th>campaign</th>
          <th>state</th>
          <th>progress</th>
          <th class="number">files</th>
          <th class="number">planned</th>
          <th>begun</th>
          <th>what</th>
        </tr>
      </thead>
      <tbody id="campaigns">
        {campaigns.map((campaign) => (
          <tr key={campaign.id}>
            <td>
              <Link href={`/campaigns/${encodeURIComponent(campaign.id)}`}>{campaign.name}</Link>
            </td>
            <td>
              <Mark of={stateColors[campaign.state] ?? 'departed'} word={campaign.state} />
            </td>
            <td>
              <span class="progress">
                <Bar parts={[['done', partOf(campaign)]]} label={`${percent(partOf(campaign))} done`} />
              </span>
            </td>
            <td class="number">{whole(campaign.files)}</td>
            <td class="number">{whole(campaign.plannedFiles)}</td>
            <td>{moment(campaign.createdAtMs)}</td>
            <td class="text">{campaign.description}</td>
          </tr>
        ))}
      </tbody>
    </Rows>
  );
}

function Schedules({ list }: { readonly list: ScheduleList }): JSX.Element {
  if (list.schedules.length === 0) return <Empty>Nothing is on a calendar.</Empty>;
  return (
    <Rows name="Calendars">
      <thead>
        <tr>
          <th>name</th>
          <th>calendar</th>
          <th>next</th>
          <th>what</th>
        </tr>
      </thead>
      <tbody>
        {list.schedules.map((schedule) => (
          <tr key={schedule.name}>
            <td>{schedule.name}</td>
            <td class="mono">
              {schedule.calendar} {schedule.timeZone}
            </td>
            <td>{schedule.nextMs[0] === undefined ? 'never' : moment(schedule.nextMs[0])}</td>
            <td class="text">{schedule.description}</td>
          </tr>
        ))}
      </tbody>
    </Rows>
  );
}

function One({ reference }: { readonly reference: string }): JSX.Element {
  const asked = useAnswer<CampaignAnswer>(`/v1/campaigns/${encodeURIComponent(reference)}`, refreshMs);
  return (
    <View title={asked.value?.name ?? 'Campaign'} question={asked.value?.description ?? ''}>
      <Answered asked={asked}>
        {(campaign) => (
          <div class="grid">
            <Progress campaign={campaign} />
            <Steps campaign={campaign} />
          </div>
        )}
      </Answered>
      <p class="small">
        <Link href="/campaigns">All campaigns</Link>
      </p>
    </View>
  );
}

/** What is left, at the speed so far. */
function etaOf({ state, plannedFiles, totals, runningMs }: CampaignAnswer): string {
  if (state !== 'running' || totals.files === 0 || runningMs === 0) return '–';
  return duration((Math.max(0, plannedFiles - totals.files) * runningMs) / totals.files);
}

function Progress({ campaign }: { readonly campaign: CampaignAnswer }): JSX.Element {
  const { totals, plan } = campaign;
  return (
    <Card
      title="Progress"
      size="whole"
      more={<Mark of={stateColors[campaign.state] ?? 'departed'} word={campaign.state} />}
    >
      <Bar parts={[['done', partOf(campaign)]]} label={`${percent(partOf(campaign))} done`} />
      <div class="figures" style={{ marginTop: '0.9rem' }}>
        <Figure value={percent(partOf(campaign))} name="done" />
        <Figure value={`${whole(totals.files)} / ${whole(plan.files)}`} name="files" />
        <Figure value={whole(totals.sharesWritten)} name="shares written" />
        <Figure value={bytes(totals.bytesRead)} name={`read, of ${bytes(plan.bytesRead)}`} />
        <Figure value={bytes(totals.bytesWritten)} name={`written, of ${bytes(plan.bytesWritten)}`} />
        <Figure value={etaOf(campaign)} name="left, as fast as so far" />
      </div>
      <ul class="legend">
        {totals.outcomes.map(({ outcome, errorCode, files }) => (
          <li key={`${outcome} ${errorCode}`}>
            {outcome}
            {errorCode === '' ? '' : ` (${errorCode})`} <b>{whole(files)}</b>
          </li>
        ))}
        {totals.waits.map(({ reason, parts }) => (
          <li key={reason}>
            waits: {reason} <b>{whole(parts)}</b>
          </li>
        ))}
      </ul>
      {campaign.needsApproval && campaign.state === 'planned' ? (
        <p class="warn small">
          It needs the approval of a second operator: <code>meshward campaign approve {campaign.name}</code>
        </p>
      ) : null}
    </Card>
  );
}

function Steps({ campaign }: { readonly campaign: CampaignAnswer }): JSX.Element {
  return (
    <Card title="Who did what, and why" size="whole">
      <Rows name="Steps">
        <thead>
          <tr>
            <th>when</th>
            <th>what</th>
            <th>who</th>
            <th>why</th>
          </tr>
        </thead>
        <tbody>
          {[...campaign.steps].reverse().map((step) => (
            <tr key={step.revision}>
              <td title={ago(step.atMs)}>{moment(step.atMs)}</td>
              <td>{step.what}</td>
              <td>{step.operatorId === '' ? 'the repairers' : step.operatorName || step.operatorId.slice(0, 8)}</td>
              <td class="text">{step.why}</td>
            </tr>
          ))}
        </tbody>
      </Rows>
    </Card>
  );
}
