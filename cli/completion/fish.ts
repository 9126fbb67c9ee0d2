/** The script of fish: one line for each thing that may be offered, with the commands that must stand before it. */
import type { CommandRow, CompletionTable, Offer, OfferedOption } from './table.ts';

export function fishScript({ rows, globals }: CompletionTable): string {
  const below = rows.slice(1);
  return `# Completion of meshward for fish: made by \`meshward completion fish\`.
#   meshward completion fish | source                                     for this shell
#   meshward completion fish > ~/.config/fish/completions/meshward.fish     for every one

# The names of the commands so far, without options and their values.
function __meshward_path
    set -l tokens (commandline -opc)
    set -l path
    set -l takes 0
    for token in $tokens[2..-1]
        if test $takes = 1
            set takes 0
            continue
        end
        switch $token
            case ${globals.flatMap((option) => (option.value === null ? [] : namesOf(option))).join(' ')}
                set takes 1
            case '--*=*'
            case '-*'
                if contains -- "$path $token" $__meshward_valued
                    set takes 1
                end
            case '*'
                if contains -- (string trim -- "$path $token") $__meshward_paths
                    set path (string trim -- "$path $token")
                end
        end
    end
    echo "$path"
end

function __meshward_at
    set -l path (__meshward_path)
    contains -- "$path" $argv
end

set -g __meshward_paths ${below.flatMap(({ paths }) => paths.map(quoted)).join(' ')}
set -g __meshward_valued ${below.flatMap(valuedOptions).join(' ')}

complete -c meshward -f
${globals.map((option) => optionLine('complete -c meshward', option)).join('\n')}
${rows.flatMap(linesOf).join('\n')}
`;
}

function valuedOptions({ paths, options }: CommandRow): string[] {
  const names = options.filter(({ value }) => value !== null).flatMap(namesOf);
  return paths.flatMap((path) => names.map((name) => quoted(`${path} ${name}`)));
}

function linesOf({ paths, commands, options, words }: CommandRow): string[] {
  const at = `complete -c meshward -n ${quoted(`__meshward_at ${paths.map((path) => `"${path}"`).join(' ')}`)}`;
  return [
    ...commands.flatMap(({ name, aliases, description }) =>
      [name, ...aliases].map((word) => `${at} -a ${quoted(word)} -d ${quoted(description)}`),
    ),
    ...options.map((option) => optionLine(at, option)),
    ...(words === 'nothing' ? [] : [`${at}${offered(words)}`]),
  ];
}

function optionLine(at: string, { long, short, description, value }: OfferedOption): string {
  const letter = short === undefined ? '' : ` -s ${short.slice(1)}`;
  return `${at}${letter} -l ${long.slice(2)}${valueWords(value)} -d ${quoted(description)}`;
}

function valueWords(value: Offer | null): string {
  if (value === null) return '';
  return value === 'nothing' ? ' -x' : ` -r${offered(value)}`;
}

function offered(offer: Offer): string {
  if (typeof offer !== 'string') return ` -f -a ${quoted(offer.join(' '))}`;
  return { file: ' -F', folder: " -f -a '(__fish_complete_directories)'", nothing: '' }[offer];
}

function namesOf({ long, short }: OfferedOption): string[] {
  return short === undefined ? [long] : [long, short];
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
