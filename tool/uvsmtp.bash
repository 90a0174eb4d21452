# SPDX-License-Identifier: MIT
# Completion for uvsmtp in bash.

# Of these words, those that begin like the current one.
_uvsmtp_words() {
  mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
}

# Outside of a completion, as in a test, there are no such settings.
_uvsmtp_setting() {
  compopt -o "$1" 2>/dev/null
}

_uvsmtp_files() {
  mapfile -t COMPREPLY < <(compgen -f -- "$1")
  _uvsmtp_setting filenames
}

_uvsmtp_server() {
  if [[ $1 = /* ]]; then
    _uvsmtp_files "$1"
  else
    _uvsmtp_words 'smtp:// smtps:// lmtp://' "$1"
    _uvsmtp_setting nospace
  fi
}

_uvsmtp_value() {
  case $1 in
    --tls) _uvsmtp_words 'none opportunistic required implicit' "$2" ;;
    --tls-min | --tls-max) _uvsmtp_words '1.2 1.3' "$2" ;;
    --auth) _uvsmtp_words 'SCRAM-SHA-256-PLUS SCRAM-SHA-256 SCRAM-SHA-1
      CRAM-MD5 OAUTHBEARER XOAUTH2 PLAIN LOGIN EXTERNAL' "$2" ;;
    --ca | --cert | --key | --*-file) _uvsmtp_files "$2" ;;
    --server) _uvsmtp_server "$2" ;;
    --dsn-notify) _uvsmtp_words 'never success failure delay failure,delay
      success,failure success,failure,delay' "$2" ;;
    --dsn-ret) _uvsmtp_words 'full hdrs' "$2" ;;
  esac
}

_uvsmtp() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
  local command=${COMP_WORDS[1]} options
  local both='--allow-plaintext-auth --auth --authzid --bind --ca --cert
    --connect-timeout --help --helo --in-turn --insecure --json --key
    --key-passphrase-file --netrc --netrc-file --password-fd --password-file
    --pin --server --timeout --tls --tls-ciphers --tls-max --tls-min --tls-name
    --token-file --trace --user'
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    _uvsmtp_words 'send probe --help --version' "$cur"
    return
  fi
  case $command in
    send)
      options="$both --all-or-nothing --bcc --cc --deliver-by --dsn-notify
        --dsn-ret --envid --from --hold-for --hold-until --keepalive
        --mail-option --message-timeout --no-chunking --no-pipelining
        --no-progress --optional-params --priority --progress --rcpt-option
        --refuse-8bit --require-tls --smtputf8 --subject --submitter --text
        --to"
      ;;
    probe) options=$both ;;
    *) return ;;
  esac
  # Bash divides words at these: a URL, an address or "--option=value" comes as
  # several. Of what is behind, only the values of options are known.
  if [[ $cur = [:@] || $prev = [:@] ]]; then
    return
  fi
  if [[ $cur = '=' || $prev = '=' ]]; then
    if [[ $cur = '=' ]]; then cur=; else prev=${COMP_WORDS[COMP_CWORD - 2]}; fi
    case $prev in
      --trace) _uvsmtp_words 'times text times,text' "$cur" ;;
      *) _uvsmtp_value "$prev" "$cur" ;;
    esac
    return
  fi
  case $prev in
    --server | --tls | --tls-m* | --ca | --cert | --key | --auth | --dsn-* | \
      --*-file) _uvsmtp_value "$prev" "$cur" ;;
    --mail-option) _uvsmtp_words 'BODY=7BIT BODY=8BITMIME RET=FULL RET=HDRS
      SMTPUTF8' "$cur" ;;
    --rcpt-option) _uvsmtp_words 'NOTIFY=DELAY NOTIFY=FAILURE NOTIFY=NEVER
      NOTIFY=SUCCESS' "$cur" ;;
    --helo | --tls-name) mapfile -t COMPREPLY < <(compgen -A hostname -- "$cur") ;;
    --authzid | --bcc | --bind | --cc | --connect-timeout | --deliver-by | \
      --envid | --from | --hold-for | --hold-until | --keepalive | \
      --message-timeout | --password-fd | --pin | --priority | --subject | \
      --submitter | --text | --timeout | --tls-ciphers | --to | --user | \
      -[fFNRV]) ;;
    *) _uvsmtp_argument "$command" "$options" "$cur" ;;
  esac
}

# What is no option's value.
_uvsmtp_argument() {
  if [[ $3 = -* ]]; then
    _uvsmtp_words "$2" "$3"
  elif [[ $1 = probe ]]; then
    _uvsmtp_server "$3"
  else
    _uvsmtp_files "$3"
  fi
}

complete -F _uvsmtp uvsmtp
