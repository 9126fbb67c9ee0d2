/** `meshward up`: every service of one machine, without peers. */
import type { Command } from 'commander';
import { systemClock } from '#mesh/clock.ts';
import { stopRequested } from '../child.ts';
import { contextOf } from '../context.ts';
import { startMeshServices } from '../mesh-services.ts';
import { refuseSecondRun } from '../run-file.ts';

export function addUpCommand(program: Command): void {
  program
    .command('up')
    .description('run everything on this machine: ClickHouse, collector, analyzer with the API and the page, repairer')
    .addHelpText('after', '\nThe data directory is .meshward unless --data-dir names another.\nExample:\n  meshward --data-dir /var/lib/meshward up')
    .action(async (_options: object, command: Command) => {
      const context = contextOf(command);
      await refuseSecondRun(context);
      const stop = stopRequested();
      const services = await startMeshServices({ context, clock: systemClock, note: context.output.note });
      const { apiUrl, collectorUrl, collectorPin } = services.run;
      context.output.result(services.run, () =>
        [`page       ${apiUrl}`, `collector  ${collectorUrl}`, `pin        ${collectorPin}`, 'Add a peer with the command that `meshward token` prints.'].join('\n'),
      );
      await stop;
      await services.stop();
    });
}
