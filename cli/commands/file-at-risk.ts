/** `meshward file at-risk`: what needs repair, most urgent first. */
import type { Command } from 'commander';
import { MeshwardError } from '#mesh/errors.ts';
import { compareGrades, type Grade, grades } from '#mesh/grade.ts';
import { describeUse } from '../command-help.ts';
import { type Context, runningContextOf } from '../context.ts';
import { describeFiles, describeFreshness } from '../describe-file.ts';
import { type ApiFlags, addApiOption, findApi } from '../mesh-address.ts';
import { parseCount } from '../quantities.ts';

interface AtRiskFlags extends ApiFlags {
  readonly grade?: string;
  readonly limit: string;
}

/** As many as the API lists at once. */
const mostListed = 1000;

export function addAtRiskCommand(file: Command): void {
  const command = file
    .command('at-risk')
    .description('files that need repair, most urgent first')
    .option('--grade <grade>', `only files of this grade or worse: ${grades.join(', ')}`)
    .option('--limit <count>', 'most files to list', '50');
  describeUse(addApiOption(command), {
    examples: ['meshward file at-risk', 'meshward file at-risk --grade critical --limit 10'],
    exits: { 4: 'the analyzer is away' },
  });
  command.action((flags: AtRiskFlags, command: Command) => atRisk(runningContextOf(command), flags));
}

async function atRisk(context: Context, flags: AtRiskFlags): Promise<void> {
  const limit = parseCount(flags.limit, '--limit', 1, mostListed);
  const grade = flags.grade === undefined ? null : parseGrade(flags.grade);
  const answer = await (await findApi(context, flags)).atRisk(grade === null ? limit : mostListed);
  const fitting = grade === null ? answer.files : answer.files.filter((file) => compareGrades(file.grade, grade) <= 0);
  const files = fitting.slice(0, limit);
  const { freshness } = answer;
  const total = grade === null ? answer.total : fitting.length;
  const isWhole = grade === null || answer.files.length === answer.total;
  context.output.result({ files, total, totalIsExact: isWhole, freshness }, () => {
    const health = `Health is ${describeFreshness(freshness)}.`;
    if (files.length === 0)
      return `No file${grade === null ? '' : ` of grade ${grade} or worse`} needs repair. ${health}`;
    return `${describeFiles(files)}\n\n${files.length} of ${isWhole ? '' : 'at least '}${total} files. ${health}`;
  });
}

function parseGrade(text: string): Grade {
  const grade = grades.find((known) => known === text);
  if (grade !== undefined) return grade;
  throw new MeshwardError('bad-input', `"${text.slice(0, 30)}" is no grade`, {
    next: `Choose one of ${grades.join(', ')}.`,
  });
}
