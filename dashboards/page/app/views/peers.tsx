/** Peers, a page at a time: by state, by failure domain, by name. */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { PeerList } from '../answers.ts';
import { useAnswer } from '../ask.ts';
import { peerStates } from '../live.ts';
import { Answered, Empty, Mark, Pager, Rows, View } from '../parts/parts.tsx';
import { go, useRoute, withQuery } from '../route.tsx';
import { bytes, duration, percent, plural, whole } from '../words.ts';

const perPage = 50;
const refreshMs = 3000;
const typingMs = 250;

export function PeersView(): JSX.Element {
  const { query } = useRoute();
  const offset = Math.max(0, Number(query.get('from') ?? 0) || 0);
  const state = query.get('state') ?? '';
  const domain = query.get('domain');
  const kind = query.get('kind');
  const search = query.get('search') ?? '';
  const question = new URLSearchParams({ limit: String(perPage), offset: String(offset) });
  for (const [name, value] of Object.entries({ state, kind, domain, search }))
    if (value !== null && value !== '') question.set(name, value);
  const asked = useAnswer<PeerList>(`/v1/peers?${question.toString()}`, refreshMs);
  return (
    <View title="Peers" question="Who is there, and how well?">
      <div class="tools">
        <label>
          State
          <select value={state} onChange={(event) => go(withQuery({ state: event.currentTarget.value, from: null }))}>
            <option value="">any</option>
            {peerStates.map((each) => (
              <option key={each} value={each}>
                {each}
              </option>
            ))}
          </select>
        </label>
        <Search text={search} />
        {domain === null ? null : (
          <button onClick={() => go(withQuery({ kind: null, domain: null, from: null }))}>
            in {kind} {domain} ✕
          </button>
        )}
        {asked.value === null ? null : <span class="quiet">{plural(asked.value.total, 'peer')}</span>}
      </div>
      <section class="card whole" aria-label="Peers">
        <Answered asked={asked}>{(list) => <PeerRows list={list} offset={offset} />}</Answered>
      </section>
    </View>
  );
}

function Search({ text }: { readonly text: string }): JSX.Element {
  const [typed, setTyped] = useState(text);
  useEffect(() => {
    if (typed === text) return undefined;
    const timer = setTimeout(() => go(withQuery({ search: typed, from: null }), true), typingMs);
    return () => clearTimeout(timer);
  }, [typed, text]);
  return (
    <label>
      Name or id
      <input type="search" value={typed} onInput={(event) => setTyped(event.currentTarget.value)} />
    </label>
  );
}

function PeerRows({ list, offset }: { readonly list: PeerList; readonly offset: number }): JSX.Element {
  const { peers, total } = list;
  if (peers.length === 0) return <Empty>No peer is like that.</Empty>;
  return (
    <>
      <Rows name="Peers">
        <thead>
          <tr>
            <th>peer</th>
            <th>state</th>
            <th>domains</th>
            <th class="number">last heard</th>
            <th class="number">flapping</th>
            <th class="number">shares</th>
            <th class="number">holds</th>
            <th class="number">free</th>
            <th class="number">verified</th>
            <th>version</th>
          </tr>
        </thead>
        <tbody id="peers">
          {peers.map((peer) => (
            <tr key={peer.peerId} data-peer={peer.name}>
              <td title={peer.peerId}>{peer.name}</td>
              <td>
                <Mark of={peer.state} word={stateWords(peer)} />
              </td>
              <td>{Object.values(peer.domains).join(', ')}</td>
              <td class="number">{peer.silenceMs === null ? 'never' : duration(peer.silenceMs)}</td>
              <td class={`number ${peer.flapScore >= 2 ? 'warn' : 'quiet'}`}>{peer.flapScore.toFixed(1)}</td>
              <td class="number">{whole(peer.shares)}</td>
              <td class="number">{bytes(peer.shareBytes)}</td>
              <td class="number">{peer.freeBytes === null ? '–' : bytes(peer.freeBytes)}</td>
              <td class="number">
                {peer.shares === 0 ? '–' : percent(Math.min(1, peer.sharesVerified / peer.shares))}
              </td>
              <td class="quiet">{peer.agentVersion}</td>
            </tr>
          ))}
        </tbody>
      </Rows>
      <Pager
        offset={offset}
        limit={perPage}
        shown={peers.length}
        total={total}
        turn={(from) => go(withQuery({ from: from === 0 ? null : from }))}
      />
    </>
  );
}

function stateWords({ state, silenceMs, graceMs, unreachableMs }: PeerList['peers'][number]): string {
  if (unreachableMs !== undefined && unreachableMs !== null && state !== 'down') return `${state}, unreachable`;
  if (state !== 'suspect' || silenceMs === null) return state;
  const left = graceMs - silenceMs;
  return left > 0 ? `suspect, ${duration(left)} of grace left` : 'suspect';
}
