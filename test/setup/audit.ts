/** `npm audit` of what runs: fails on known vulnerabilities of high or critical severity. Run by itself: `node test/setup/audit.ts`. */
import { spawnSync } from 'node:child_process';

interface Answer {
  readonly message?: string;
  readonly metadata?: { readonly vulnerabilities: Readonly<Record<string, number>> };
}

/** A registry that does not answer has found nothing: that is said, and is no failure. */
export function judgeAudit({ message, metadata }: Answer): { readonly ok: boolean; readonly said: string } {
  if (metadata === undefined)
    return {
      ok: true,
      said: `known vulnerabilities cannot be asked for here, so nothing is said of them: ${message ?? 'no answer'}`,
    };
  const { high = 0, critical = 0 } = metadata.vulnerabilities;
  return { ok: high + critical === 0, said: `${critical} critical, ${high} high` };
}

if (import.meta.main) {
  const { stdout } = spawnSync('npm', ['audit', '--omit=dev', '--json'], { encoding: 'utf8', timeout: 60_000 });
  let answer: Answer = {};
  try {
    answer = JSON.parse(stdout) as Answer;
  } catch {
    answer = { message: 'no answer that can be read' };
  }
  const { ok, said } = judgeAudit(answer);
  console.log(said);
  process.exitCode = ok ? 0 : 1;
}
