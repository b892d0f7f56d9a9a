internal import ArgumentParser
internal import Firebreak

struct Completion: ParsableCommand {
  enum Shell: String, CaseIterable, ExpressibleByArgument {
    case bash
    case zsh
    case fish
  }

  static let configuration = CommandConfiguration(
    commandName: "completion", _superCommandName: FirebreakCommand.name,
    abstract: "Print a script with which a shell completes commands, matches, targets and their options.",
    discussion: """
      INSTALL
        firebreak completion bash > /etc/bash_completion.d/firebreak
        firebreak completion zsh > /usr/share/zsh/site-functions/_firebreak
        firebreak completion fish > /etc/fish/completions/firebreak.fish
      """)

  @Argument(help: "bash, zsh or fish.") var shell: Shell

  func run() {
    switch shell {
    case .bash: print(FirebreakCommand.completionScript(for: .bash) + "\n\n" + Self.bash)
    case .zsh: print(FirebreakCommand.completionScript(for: .zsh) + "\n\n" + Self.zsh)
    case .fish: print(FirebreakCommand.completionScript(for: .fish) + "\n\n" + Self.fish)
    }
  }

  /// The rest of a script, which hands command lines of iptables and names of matches and targets to ``CompleteWords``,
  /// and leaves all others to what stands before it.
  private static let bash = """
    __firebreak_words() {
        if [[ "${COMP_CWORD}" -ge 2 ]]; then
            case "${COMP_WORDS[1]}" in
            \(CompleteWords.commands.joined(separator: " | ")))
                mapfile -t COMPREPLY < <("${COMP_WORDS[0]}" complete-words "${COMP_CWORD}" "${COMP_WORDS[@]}" 2>/dev/null)
                return
                ;;
            esac
        fi
        _firebreak "$@"
    }

    complete -o filenames -F __firebreak_words firebreak
    """

  private static let zsh = """
    __firebreak_words() {
        case "${words[2]}" in
        \(CompleteWords.commands.joined(separator: "|")))
            if (( CURRENT > 2 )); then
                local -a found
                found=("${(@f)$("${words[1]}" complete-words "$((CURRENT - 1))" "${words[@]}" 2>/dev/null)}")
                compadd -- "${found[@]}"
                return
            fi ;;
        esac
        _firebreak "${@}"
    }

    compdef __firebreak_words firebreak
    """

  private static let fish = """
    function __firebreak_words
        set -l words (commandline -opc)
        $words[1] complete-words (count $words) $words (commandline -ct) 2>/dev/null
    end

    complete -c firebreak -n '__fish_seen_subcommand_from \(CompleteWords.commands.joined(separator: " "))' -f \
    -a '(__firebreak_words)'
    """
}

/// What the scripts ask: the place of the word to complete, from 0, and all words of the line. Prints a candidate a line.
struct CompleteWords: ParsableCommand {
  /// The commands whose words are completed here.
  static let commands = ["help", "iptables", "ip6tables"]

  static let configuration = CommandConfiguration(
    commandName: "complete-words", _superCommandName: FirebreakCommand.name, shouldDisplay: false)

  @Argument var place: Int
  @Argument(parsing: .captureForPassthrough) var words: [String] = []

  func run() {
    guard place >= 2, words.count >= 2 else { return }
    let beginning = place < words.count ? words[place] : ""
    let before = Array(words[2..<max(2, min(place, words.count))])
    for candidate in candidates(before, beginning) { print(candidate) }
  }

  private func candidates(_ before: [String], _ beginning: String) -> [String] {
    switch words[1] {
    case "iptables": WordCompletion.candidates(after: before, beginning: beginning, family: .ipv4)
    case "ip6tables": WordCompletion.candidates(after: before, beginning: beginning, family: .ipv6)
    case "help": Self.topics(before).filter { $0.hasPrefix(beginning) }
    default: []
    }
  }

  private static func topics(_ before: [String]) -> [String] {
    switch before {
    case []:
      return FirebreakCommand.visibleCommands + ExtensionHelp.Topic.allCases.map(\.rawValue)
    case ["match"]: return unique(Family.allCases.flatMap { Registry.standard.matchNames($0) })
    case ["target"]: return unique(Family.allCases.flatMap { Registry.standard.targetNames($0) })
    default: return []
    }
  }

  private static func unique(_ names: [String]) -> [String] { Array(Set(names)).sorted() }
}
