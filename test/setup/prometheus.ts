/** Prometheus with promtool and Alertmanager with amtool for the tests of alerts: those of this machine, or Debian's where there are none. */
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const programs = ['prometheus', 'promtool', 'prometheus-alertmanager', 'amtool'] as const;
export type PrometheusProgram = (typeof programs)[number];

const packages = ['prometheus', 'prometheus-alertmanager'];

/** Alertmanager is called differently by Debian and by its makers. */
const otherNames: Partial<Record<PrometheusProgram, string>> = { 'prometheus-alertmanager': 'alertmanager' };

export function findPrometheusProgram(program: PrometheusProgram): string | null {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const names = [program, otherNames[program] ?? program];
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => existsSync(path)) ?? null;
}

/** @throws Error where it was not installed: `npm test` does so. */
export function prometheusProgram(program: PrometheusProgram): string {
  const found = findPrometheusProgram(program);
  if (found === null) throw new Error(`${program} is not on the PATH: run \`npm test\`, which installs it.`);
  return found;
}

/** @throws Error saying what to install where it cannot be done here. */
export function installPrometheus(): void {
  const missing = (): string[] => programs.filter((program) => findPrometheusProgram(program) === null);
  if (missing().length === 0) return;
  withoutStarting((environment) => {
    for (const argv of [
      ['apt-get', 'update', '-q'],
      ['apt-get', 'install', '-y', '-q', '--no-install-recommends', ...packages],
    ]) {
      const asRoot = process.getuid?.() === 0 ? [] : ['sudo', '-n', '-E'];
      const [name, ...rest] = [...asRoot, ...argv];
      const { status } = spawnSync(name as string, rest, { stdio: ['ignore', 'ignore', 'inherit'], env: environment });
      if (status !== 0)
        throw new Error(
          `The tests of alerts need ${missing().join(', ')}, which could not be installed: install them and see that they are on the PATH.`,
        );
    }
  });
  if (missing().length > 0) throw new Error(`${missing().join(', ')}: installed, but not on the PATH.`);
}

/** The packages would start their services: `policy-rc.d` keeps Debian from it, where the machine has none of its own. */
function withoutStarting(run: (environment: NodeJS.ProcessEnv) => void): void {
  const policy = '/usr/sbin/policy-rc.d';
  const isOurs = !existsSync(policy) && process.getuid?.() === 0;
  if (isOurs) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    run({ ...process.env, DEBIAN_FRONTEND: 'noninteractive' });
  } finally {
    if (isOurs) rmSync(policy, { force: true });
  }
}
