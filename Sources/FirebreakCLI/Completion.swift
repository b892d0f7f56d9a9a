internal import Firebreak

struct Completion: Subcommand {
  enum Shell: String, CaseIterable, ArgumentValue {
    case bash
    case zsh
    case fish
  }

  static let name = "completion"

  static let about = About(
    "Print a script with which a shell completes commands, matches, targets and their options.",
    discussion: """
      INSTALL
        firebreak completion bash > /etc/bash_completion.d/firebreak
        firebreak completion zsh > /usr/share/zsh/site-functions/_firebreak
        firebreak completion fish > /etc/fish/completions/firebreak.fish
      """)

  @Argument("shell", help: "bash, zsh or fish.") var shell: Shell

  func run() {
    switch shell {
    case .bash: print(Self.bash)
    case .zsh: print(Self.zsh)
    case .fish: print(Self.fish)
    }
  }

  // The scripts know nothing themselves: ``CompleteWords`` says what could stand there, and where it says nothing it is
  // a file.

  private static let bash = """
    _firebreak() {
        mapfile -t COMPREPLY < <("${COMP_WORDS[0]}" complete-words "${COMP_CWORD}" "${COMP_WORDS[@]}" 2>/dev/null)
    }

    complete -o bashdefault -o default -F _firebreak firebreak
    """

  private static let zsh = """
    #compdef firebreak

    _firebreak() {
        local -a found
        found=("${(@f)$("${words[1]}" complete-words "$((CURRENT - 1))" "${words[@]}" 2>/dev/null)}")
        if [[ -n "${found[1]}" ]]; then
            compadd -- "${found[@]}"
        else
            _files
        fi
    }

    if [[ "${funcstack[1]}" == _firebreak ]]; then
        _firebreak "$@"
    else
        compdef _firebreak firebreak
    fi
    """

  private static let fish = """
    function __firebreak_words
        set -l words (commandline -opc)
        set -l found ($words[1] complete-words (count $words) $words (commandline -ct) 2>/dev/null)
        if test (count $found) -gt 0
            printf '%s\\n' $found
        else
            __fish_complete_path (commandline -ct)
        end
    end

    complete -c firebreak -f -a '(__firebreak_words)'
    """
}

/// What the scripts ask: the place of the word to complete, from 0, and all words of the line. Prints a candidate a line.
struct CompleteWords: Subcommand {
  static let name = "complete-words"

  static let about = About("Print what could stand at a place of a command line.", isHidden: true)

  @Argument("place") var place: Int
  @Argument(rest: "words") var words: [String]

  func run() {
    guard place >= 1, !words.isEmpty else { return }
    let beginning = place < words.count ? words[place] : ""
    let before = Array(words.dropFirst().prefix(place - 1))
    for candidate in candidates(before, beginning) { print(candidate) }
  }

  private func candidates(_ before: [String], _ beginning: String) -> [String] {
    let rest = Array(before.dropFirst())
    return switch before.first {
    case "iptables": WordCompletion.candidates(after: rest, beginning: beginning, family: .ipv4)
    case "ip6tables": WordCompletion.candidates(after: rest, beginning: beginning, family: .ipv6)
    case "help" where rest == ["match"] || rest == ["target"]: extensions(isTarget: rest == ["target"], beginning)
    case "help" where rest.isEmpty: commands(before, beginning) + topics(beginning)
    case nil: commands(before, beginning) + ["iptables", "ip6tables"].filter { $0.hasPrefix(beginning) }
    default: commands(before, beginning)
    }
  }

  private func commands(_ before: [String], _ beginning: String) -> [String] {
    Candidates.of(FirebreakCommand.self, after: before, beginning: beginning)
  }

  private func topics(_ beginning: String) -> [String] {
    ExtensionHelp.Topic.allCases.map(\.rawValue).filter { $0.hasPrefix(beginning) }
  }

  private func extensions(isTarget: Bool, _ beginning: String) -> [String] {
    let names = Family.allCases.flatMap {
      isTarget ? Registry.standard.targetNames($0) : Registry.standard.matchNames($0)
    }
    return Set(names).sorted().filter { $0.hasPrefix(beginning) }
  }
}
