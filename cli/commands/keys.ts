/** `meshward keys create | show | rotate`: secrets that services mount. */
import { resolve } from 'node:path';
import { Argument, type Command } from 'commander';
import { describeUse } from '../command-help.ts';
import { contextOf } from '../context.ts';
import { aligned } from '../describe-file.ts';
import type { KeysShown, RotatedKey } from '../key-files.ts';

const rotatedKeys: readonly RotatedKey[] = ['collector', 'operator', 'lease', 'access'];

export function addKeysCommands(program: Command): void {
  const keys = program.command('keys').description('the secrets of an installation as files that services mount');
  describeUse(
    keys
      .command('create')
      .argument('<dir>', 'a folder that holds no keys yet')
      .description("make the collector's key, the first operator's, the lease secret and the token that services send"),
    {
      examples: [
        'meshward keys create ./keys',
        'kubectl create secret generic meshward-collector --from-file=keys/collector',
        'kubectl create secret generic meshward-repairer --from-file=keys/repairer',
        'kubectl create secret generic meshward-access --from-file=keys/access',
      ],
      notes: [
        'collector/ is for collectors (keys.collectorKeyFile, keys.operatorsFile), repairer/ for repairers (keys.leaseSecretFile),',
        'access/ for all of them (access.tokensFile, access.apiTokenFile, access.sessionKeyFile; `meshward access create` adds tokens for people),',
        'operator/ for the person who commands (keys.operatorKeyFile): no service needs that one. Keep a copy of all of it.',
      ],
    },
  ).action(async (folder: string, _flags: object, command: Command) => {
    const { createKeys } = await import('../key-files.ts');
    const made = await createKeys(resolve(folder));
    contextOf(command).output.result(made, () => described(made));
  });
  describeUse(
    keys
      .command('show')
      .argument('<dir>', 'the folder that `meshward keys create` made')
      .description('print pins and ids of the keys in a folder; nothing of it is secret'),
    { examples: ['meshward keys show ./keys'] },
  ).action(async (folder: string, _flags: object, command: Command) => {
    const { showKeys } = await import('../key-files.ts');
    const shown = await showKeys(resolve(folder));
    contextOf(command).output.result(shown, () => described(shown));
  });
  describeUse(
    keys
      .command('rotate')
      .argument('<dir>', 'the folder that `meshward keys create` made')
      .addArgument(new Argument('<key>', 'which one is replaced').choices(rotatedKeys))
      .description('go one step on in replacing a key, and print what to do before the next'),
    {
      examples: ['meshward keys rotate ./keys collector', 'meshward keys rotate ./keys operator'],
      notes: [
        'Nothing is down meanwhile: both keys are taken between the first step and the last. The collector has three steps,',
        'since agents must know the next key before any collector shows it; an operator two; the lease secret and the token of services one.',
      ],
    },
  ).action(async (folder: string, key: RotatedKey, _flags: object, command: Command) => {
    const { rotateKey } = await import('../key-files.ts');
    const step = await rotateKey(resolve(folder), key);
    contextOf(command).output.result(step, () =>
      [`Step ${step.step} of ${step.of}: ${step.done}.`, step.next].join('\n'),
    );
  });
}

function described({ collectorPins, operators, operatorId }: KeysShown): string {
  const [pin, ...otherPins] = collectorPins;
  return aligned([
    ['pin', pin ?? ''],
    ...otherPins.map((other): [string, string] => ['taken too', other]),
    ['operator key', operatorId],
    ...operators.map(({ id, name }): [string, string] => ['may command', `${id}  ${name}`]),
  ]);
}
