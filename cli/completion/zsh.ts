/** The script of zsh, with what each command and option means. */
import type { CommandRow, CompletionTable, Offer, OfferedOption } from './table.ts';

export function zshScript({ rows, globals }: CompletionTable): string {
  return `#compdef meshward
# Completion of meshward for zsh: made by \`meshward completion zsh\`.
#   source <(meshward completion zsh)                           for this shell
#   meshward completion zsh > "\${fpath[1]}/_meshward"            for every one
_meshward_commands() {
  case "$1" in
${rows
  .filter(({ commands }) => commands.length > 0)
  .map(commandsCase)
  .join('\n')}
  esac
}

_meshward_options() {
  options=(${globals.map(({ long, description }) => described(long, description)).join(' ')})
  case "$1" in
${rows
  .filter(({ options }) => options.length > 0)
  .map(optionsCase)
  .join('\n')}
  esac
}

# Sets reply to what an option or an argument of a command takes: words, @file, @folder, @any; to nothing where it takes no value.
_meshward_value() {
  reply=()
  case "$1" in
${[...globals.flatMap(globalCase), ...rows.flatMap(valueCases)].join('\n')}
  esac
}

_meshward() {
  local path_of='' word takes='' i
  local -a reply commands options
  for ((i = 2; i < CURRENT; i++)); do
    word="\${words[i]}"
    if [[ -n $takes ]]; then takes=''; continue; fi
    if [[ $word == -* ]]; then
      if [[ $word != *=* ]]; then _meshward_value "$path_of $word"; takes="\${reply[*]}"; fi
      continue
    fi
    commands=()
    _meshward_commands "$path_of"
    if (( \${commands[(I)$word:*]} )); then path_of="\${path_of:+$path_of }$word"; fi
  done
  if [[ -z $takes && $PREFIX == --*=* ]]; then
    _meshward_value "$path_of \${PREFIX%%=*}"
    compset -P 1 '*='
  elif [[ -n $takes ]]; then
    _meshward_value "$path_of \${words[CURRENT-1]}"
  elif [[ $PREFIX == -* ]]; then
    _meshward_options "$path_of"
    _describe -o option options
    return
  else
    commands=()
    _meshward_commands "$path_of"
    if (( \${#commands} )); then _describe command commands; return; fi
    _meshward_value "$path_of :words"
  fi
  case "\${reply[1]}" in
    @file) _files ;;
    @folder) _files -/ ;;
    @any | '') ;;
    *) compadd -- $reply ;;
  esac
}
if [[ \${funcstack[1]} == _meshward ]]; then _meshward "$@"; else compdef _meshward meshward; fi
`;
}

function commandsCase({ paths, commands }: CommandRow): string {
  const words = commands.flatMap(({ name, aliases, description }) =>
    [name, ...aliases].map((word) => described(word, description)),
  );
  return `    ${patterns(paths)}) commands=(${words.join(' ')}) ;;`;
}

function optionsCase({ paths, options }: CommandRow): string {
  return `    ${patterns(paths)}) options+=(${options.map(({ long, description }) => described(long, description)).join(' ')}) ;;`;
}

function globalCase({ long, short, value }: OfferedOption): string[] {
  if (value === null) return [];
  return [
    `    ${[long, ...(short === undefined ? [] : [short])].map((name) => `*' ${name}'`).join(' | ')}) reply=(${offered(value)}) ;;`,
  ];
}

function valueCases({ paths, options, words }: CommandRow): string[] {
  const cases = options.filter(({ value }) => value !== null).map((option) => valueCase(paths, option));
  return words === 'nothing' ? cases : [...cases, `    ${patterns(paths, ':words')}) reply=(${offered(words)}) ;;`];
}

function valueCase(paths: readonly string[], { long, short, value }: OfferedOption): string {
  const names = [long, ...(short === undefined ? [] : [short])];
  return `    ${names.map((name) => patterns(paths, name)).join(' | ')}) reply=(${offered(value ?? 'nothing')}) ;;`;
}

function offered(offer: Offer): string {
  if (typeof offer !== 'string') return offer.map((word) => quoted(word)).join(' ');
  return { file: '@file', folder: '@folder', nothing: '@any' }[offer];
}

function described(word: string, description: string): string {
  return quoted(`${word.replaceAll(':', '\\:')}:${description}`);
}

function patterns(paths: readonly string[], after?: string): string {
  return paths.map((path) => quoted(`${path}${after === undefined ? '' : ` ${after}`}`)).join(' | ');
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
