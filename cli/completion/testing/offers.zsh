# Completes a line in a real interactive zsh, and prints what was offered: one a line, after <offer>.
# usage: zsh -f offers.zsh SCRIPT LINE
zmodload zsh/zpty
script="$1" line="$2"
zpty shell zsh -f -i
setup='PROMPT=; stty -echo; autoload -Uz compinit; compinit -u -D; source '${(q)script}'; '
setup+='compadd() { local -a hits; local hit; builtin compadd -O hits "$@"; for hit in $hits; do print -r -- "<offer>$hit"; done; builtin compadd "$@" }; '
setup+='offer() { zle complete-word; print -r -- "<en""d>" }; zle -N offer; bindkey "^I" offer; print "<rea""dy>"'
zpty -w shell "$setup"
while zpty -r shell got; do [[ $got == *'<ready>'* ]] && break; done
zpty -w -n shell "$line"$'\t'
while zpty -r shell got; do
  [[ $got == *'<offer>'* ]] && print -r -- "<offer>${${got##*<offer>}%%[[:space:]]*}"
  [[ $got == *'<end>'* ]] && break
done
zpty -d shell
