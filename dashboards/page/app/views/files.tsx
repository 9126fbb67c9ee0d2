/** Files at risk, page by page, and any file by its storage index; each explained in a drawer. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { FileList } from '../answers.ts';
import { useAnswer } from '../ask.ts';
import { Answered, Empty, Mark, Pager, Rows, View } from '../parts/parts.tsx';
import { go, Link, useRoute, withQuery } from '../route.tsx';
import { brief, bytes, whole } from '../words.ts';
import { FileDrawer } from './file-drawer.tsx';

const perPage = 50;
const refreshMs = 5000;
const indexPattern = /^[a-z2-7]{26}$/;

export function FilesView(): JSX.Element {
  const { query } = useRoute();
  const offset = Math.max(0, Number(query.get('from') ?? 0) || 0);
  const grade = query.get('grade') ?? '';
  const file = query.get('file');
  const asked = useAnswer<FileList>(
    `/v1/files/at-risk?limit=${perPage}&offset=${offset}${grade === '' ? '' : `&grade=${encodeURIComponent(grade)}`}`,
    refreshMs,
  );
  return (
    <View title="Files at risk" question="Which files need repair, how urgently, and why?">
      <div class="tools">
        <label>
          Grade
          <select value={grade} onChange={(event) => go(withQuery({ grade: event.currentTarget.value, from: null }))}>
            <option value="">all that need repair</option>
            <option value="critical">critical or lost</option>
            <option value="lost">lost</option>
          </select>
        </label>
        <FindFile />
      </div>
      <section class="card whole" aria-label="Files at risk">
        <Answered asked={asked}>{(list) => <FileRows list={list} offset={offset} />}</Answered>
      </section>
      {file === null ? null : <FileDrawer storageIndex={file} close={() => go(withQuery({ file: null }))} />}
    </View>
  );
}

function FindFile(): JSX.Element {
  const [text, setText] = useState('');
  const [isOdd, setOdd] = useState(false);
  const find = (event: Event): void => {
    event.preventDefault();
    const index = text.trim().toLowerCase();
    setOdd(!indexPattern.test(index));
    if (indexPattern.test(index)) go(withQuery({ file: index }));
  };
  return (
    <form class="tools" role="search" onSubmit={find} style={{ margin: 0 }}>
      <label>
        Any file
        <input
          type="search"
          size={28}
          placeholder="storage index"
          value={text}
          aria-invalid={isOdd}
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </label>
      <button type="submit">Explain</button>
      {isOdd ? (
        <span class="bad" role="alert">
          A storage index is 26 characters of a–z and 2–7.
        </span>
      ) : null}
    </form>
  );
}

function FileRows({ list, offset }: { readonly list: FileList; readonly offset: number }): JSX.Element {
  const { files, total } = list;
  if (files.length === 0 && offset === 0) return <Empty>No file needs repair.</Empty>;
  return (
    <>
      <Rows name="Files at risk">
        <thead>
          <tr>
            <th>file</th>
            <th>grade</th>
            <th class="number">margin</th>
            <th class="number">available</th>
            <th class="number">counted</th>
            <th class="number">survives any</th>
            <th class="number">size</th>
            <th>why</th>
          </tr>
        </thead>
        <tbody id="at-risk">
          {files.map((file) => (
            <tr key={file.storageIndex} class="opens" onClick={() => go(withQuery({ file: file.storageIndex }))}>
              <td class="mono">
                <Link href={withQuery({ file: file.storageIndex })} title={file.storageIndex}>
                  {brief(file.storageIndex)}
                </Link>
              </td>
              <td>
                <Mark of={file.grade} />
              </td>
              <td class={`number ${file.margin < 0 ? 'bad' : ''}`}>{file.margin}</td>
              <td class="number">
                {file.available} of {file.n}
              </td>
              <td class="number">{file.counted}</td>
              <td class="number">{file.tolerancePeers <= 1 ? 'no peer' : `${whole(file.tolerancePeers - 1)} peers`}</td>
              <td class="number">{bytes(file.sizeBytes)}</td>
              <td class="text">
                {file.cause}
                {file.repair === undefined ? '' : `; repair tried ${file.repair.tries}×: ${file.repair.errorMessage}`}
              </td>
            </tr>
          ))}
        </tbody>
      </Rows>
      <Pager
        offset={offset}
        limit={perPage}
        shown={files.length}
        total={total}
        turn={(from) => go(withQuery({ from: from === 0 ? null : from }))}
      />
    </>
  );
}
