/** The script of bash. It needs nothing but bash: the package bash-completion is not everywhere. */
import type { CommandRow, CompletionTable, Offer, OfferedOption } from './table.ts';

export function bashScript({ rows, globals }: CompletionTable): string {
  return `# Completion of meshward for bash: made by \`meshward completion bash\`.
#   source <(meshward completion bash)                                          for this shell
#   meshward completion bash > ~/.local/share/bash-completion/completions/meshward    for every one
_meshward_commands() {
  case "$1" in
${rows
  .filter(({ commands }) => commands.length > 0)
  .map(commandsCase)
  .join('\n')}
  esac
}

_meshward_options() {
  echo ${quoted(globals.map(({ long }) => long))}
  case "$1" in
${rows
  .filter(({ options }) => options.length > 0)
  .map(optionsCase)
  .join('\n')}
  esac
}

# What an option or an argument of a command takes: words, @file, @folder, @any; nothing where the option takes no value.
_meshward_value() {
  case "$1" in
${[...globals.flatMap(globalCase), ...rows.flatMap(valueCases)].join('\n')}
  esac
}

_meshward() {
  local current path='' word i takes=''
  # bash cuts words at = and :, which stand in values here.
  local line="\${COMP_LINE:0:COMP_POINT}"
  local -a words
  read -ra words <<< "$line"
  [[ $line == *[[:space:]] ]] && words+=('')
  current="\${words[\${#words[@]} - 1]}"
  for ((i = 1; i < \${#words[@]} - 1; i++)); do
    word="\${words[i]}"
    if [[ -n $takes ]]; then takes=''; continue; fi
    if [[ $word == -* ]]; then
      [[ $word != *=* ]] && takes="$(_meshward_value "$path $word")"
      continue
    fi
    case " $(_meshward_commands "$path") " in
      *" $word "*) path="\${path:+$path }$word" ;;
    esac
  done
  COMPREPLY=()
  local offer="$takes"
  if [[ -z $offer && $current == --*=* ]]; then
    offer="$(_meshward_value "$path \${current%%=*}")"
    current="\${current#*=}"
  elif [[ -z $offer && $current == -* ]]; then
    COMPREPLY=($(compgen -W "$(_meshward_options "$path")" -- "$current"))
    return
  elif [[ -z $offer ]]; then
    offer="$(_meshward_commands "$path")"
    [[ -n $offer ]] || offer="$(_meshward_value "$path :words")"
  fi
  case "$offer" in
    @file) compopt -o filenames 2> /dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
    @folder) compopt -o filenames 2> /dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
    @any | '') ;;
    *) COMPREPLY=($(compgen -W "$offer" -- "$current")) ;;
  esac
}
complete -F _meshward meshward
`;
}

function commandsCase({ paths, commands }: CommandRow): string {
  return `    ${patterns(paths)}) echo ${quoted(commands.flatMap(({ name, aliases }) => [name, ...aliases]))} ;;`;
}

function optionsCase({ paths, options }: CommandRow): string {
  return `    ${patterns(paths)}) echo ${quoted(options.map(({ long }) => long))} ;;`;
}

function globalCase({ long, short, value }: OfferedOption): string[] {
  if (value === null) return [];
  return [
    `    ${[long, ...(short === undefined ? [] : [short])].map((name) => `*' ${name}'`).join(' | ')}) echo ${offered(value)} ;;`,
  ];
}

function valueCases({ paths, options, words }: CommandRow): string[] {
  const cases = options.filter(({ value }) => value !== null).map((option) => valueCase(paths, option));
  return words === 'nothing' ? cases : [...cases, `    ${patterns(paths, ':words')}) echo ${offered(words)} ;;`];
}

function valueCase(paths: readonly string[], { long, short, value }: OfferedOption): string {
  const names = [long, ...(short === undefined ? [] : [short])];
  return `    ${names.map((name) => patterns(paths, name)).join(' | ')}) echo ${offered(value ?? 'nothing')} ;;`;
}

function offered(offer: Offer): string {
  if (typeof offer !== 'string') return quoted(offer);
  return { file: '@file', folder: '@folder', nothing: '@any' }[offer];
}

function patterns(paths: readonly string[], after?: string): string {
  return paths.map((path) => `'${path}${after === undefined ? '' : ` ${after}`}'`).join(' | ');
}

function quoted(words: readonly string[]): string {
  return `'${words.join(' ')}'`;
}
