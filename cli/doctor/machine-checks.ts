/** What this machine brings: Node and the native core. */
import { createHash } from 'node:crypto';
import { encode, isaLevel, isaLevelsSupported, regenerate, sha256d } from '#native/index.ts';
import { type Check, type Finding, failed, passed } from './check.ts';

const oldestNode = 24;

export function machineChecks(): readonly Check[] {
  return [
    {
      name: 'node',
      kind: 'machine',
      run() {
        const { node } = process.versions;
        const isNew = Number(node.split('.')[0]) >= oldestNode;
        const finding = isNew
          ? passed(node)
          : failed(`${node} is older than ${oldestNode}`, 'Run `npm install` in the project: it brings its own Node.');
        return Promise.resolve(finding);
      },
    },
    { name: 'native core', kind: 'machine', run: () => Promise.resolve(lookAtNativeCore()) },
  ];
}

function lookAtNativeCore(): Finding {
  const level = isaLevel();
  const supported = isaLevelsSupported();
  if (!computesRightly()) {
    return failed(
      `it computes wrong results at level ${level}`,
      'Trust no share that was made here. Set MESHWARD_ISA=scalar, run `node native/build.js`, and test the memory of this machine.',
    );
  }
  const forced = supported.at(-1) === level ? '' : ', set by MESHWARD_ISA';
  return passed(`runs at ${level}${forced}; this processor has ${supported.join(', ')}`);
}

/** Hashes against Node's own, and a code word of 3-of-10 back from its last three shares. */
function computesRightly(): boolean {
  const primary = [1, 2, 3].map((seed) => Uint8Array.from({ length: 4099 }, (_, i) => (i * 31 + seed * 97) & 0xff));
  const data = primary[0] as Uint8Array;
  const expected = createHash('sha256').update(createHash('sha256').update(data).digest()).digest();
  if (Buffer.compare(sha256d(data), expected) !== 0) return false;
  const last = [7, 8, 9];
  const sources = encode({ k: 3, n: 10, primary, wantedNumbers: last });
  const back = regenerate({ k: 3, n: 10, sources, sourceNumbers: last, wantedNumbers: [0, 1, 2] });
  return back.every((block, i) => Buffer.compare(block, primary[i] as Uint8Array) === 0);
}
