/** One look of the doctor: its name, and what it found. */
import { describeError, MeshwardError } from '#mesh/errors.ts';
import { inWords } from '../system-errors.ts';

export const startServices =
  'Start the services with `meshward up` (or `npm start` for the demonstration), or look into their logs.';

export interface Check {
  readonly name: string;
  /** What is out of order where it fails: this machine and its configuration, something that runs, or what it watches over. */
  readonly kind: 'machine' | 'service' | 'mesh';
  run(): Promise<Finding>;
}

export interface Finding {
  readonly state: 'ok' | 'failed' | 'skipped';
  readonly detail: string;
  /** What to do; empty where there is nothing to do. */
  readonly next: string;
}

export interface CheckResult extends Finding {
  readonly name: string;
  readonly kind: Check['kind'];
}

export function passed(detail: string): Finding {
  return { state: 'ok', detail, next: '' };
}

export function failed(detail: string, next: string): Finding {
  return { state: 'failed', detail, next };
}

export function skipped(detail: string): Finding {
  return { state: 'skipped', detail, next: '' };
}

/** What a check throws is a failure, with the advice of its error. */
export async function runCheck(check: Check): Promise<CheckResult> {
  const { name, kind } = check;
  try {
    return { name, kind, ...(await check.run()) };
  } catch (error) {
    return { name, kind, ...failed(describeError(error), adviceOf(inWords(error))) };
  }
}

function adviceOf(error: unknown): string {
  if (!(error instanceof MeshwardError)) return 'This should not happen: report it with the text above.';
  // Whoever reads this runs the doctor already.
  return error.next.includes('`meshward doctor`') ? startServices : error.next;
}
