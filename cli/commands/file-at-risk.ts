/** `meshward file at-risk`: what needs repair, most urgent first. */
import type { Command } from 'commander';
import { compareGrades, type Grade, grades } from '#mesh/grade.ts';
import { choiceOption } from '../choices.ts';
import { describeUse } from '../command-help.ts';
import type { Context } from '../context.ts';
import { describeFreshness, filesView } from '../describe-file.ts';
import { type ApiFlags, addApiOption, findApi } from '../mesh-address.ts';
import { parseCount } from '../quantities.ts';
import type { View } from '../terminal/view.ts';
import { showsView } from '../view-command.ts';

interface AtRiskFlags extends ApiFlags {
  readonly grade?: Grade;
  readonly limit: string;
}

/** As many as the API lists at once. */
const mostListed = 1000;

export function addAtRiskCommand(file: Command): void {
  const command = file
    .command('at-risk')
    .description('files that need repair, most urgent first')
    .addOption(choiceOption('--grade <grade>', 'only files of this grade or worse', grades))
    .option('--limit <count>', 'most files to list', '50');
  showsView(addApiOption(command), { list: true, state: true }, atRisk);
  describeUse(command, {
    examples: [
      'meshward file at-risk',
      'meshward file at-risk --watch',
      'meshward file at-risk --grade critical --limit 10',
    ],
    exits: { 4: 'the analyzer is away' },
  });
}

async function atRisk(context: Context, flags: AtRiskFlags): Promise<View> {
  const limit = parseCount(flags.limit, '--limit', 1, mostListed);
  const { grade } = flags;
  const answer = await (await findApi(context, flags)).atRisk(grade === undefined ? limit : mostListed);
  const fitting =
    grade === undefined ? answer.files : answer.files.filter((file) => compareGrades(file.grade, grade) <= 0);
  const files = fitting.slice(0, limit);
  const { freshness } = answer;
  const total = grade === undefined ? answer.total : fitting.length;
  const totalIsExact = grade === undefined || answer.files.length === answer.total;
  const health = `Health is ${describeFreshness(freshness)}.`;
  return filesView({
    files,
    value: { files, total, totalIsExact, freshness },
    none: `No file${grade === undefined ? '' : ` of grade ${grade} or worse`} needs repair. ${health}`,
    below: [`${files.length} of ${totalIsExact ? '' : 'at least '}${total} files. ${health}`],
  });
}
