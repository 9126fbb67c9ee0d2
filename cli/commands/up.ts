/** `meshward up`: every service of one machine, without peers. */
import type { Command } from 'commander';
import { systemClock } from '#mesh/clock.ts';
import { stopRequested } from '../child.ts';
import { describeUse } from '../command-help.ts';
import { contextOf } from '../context.ts';
import { refuseSecondRun } from '../run-file.ts';

export function addUpCommand(program: Command): void {
  describeUse(
    program
      .command('up')
      .description(
        'run everything on this machine: ClickHouse, collector, analyzer with the API and the page, repairer',
      )
      .action(async (_options: object, command: Command) => {
        const context = contextOf(command);
        await refuseSecondRun(context);
        const stop = stopRequested();
        const { startMeshServices } = await import('../mesh-services.ts');
        const services = await startMeshServices({ context, clock: systemClock, note: context.output.note });
        const { apiUrl, collectorUrl, collectorPin } = services.run;
        context.output.result(services.run, () =>
          [
            `page       ${apiUrl}`,
            `collector  ${collectorUrl}`,
            `pin        ${collectorPin}`,
            'Add a peer with the command that `meshward token` prints.',
          ].join('\n'),
        );
        await stop;
        await services.stop();
      }),
    {
      examples: ['meshward --data-dir /var/lib/meshward up'],
      exits: {
        4: 'ClickHouse or another service could not be started',
        6: 'Kafka or ClickHouse does not let this user in',
      },
      notes: [
        'The data directory is .meshward unless --data-dir names another. Peers are added with the command that `meshward token` prints.',
      ],
    },
  );
}
