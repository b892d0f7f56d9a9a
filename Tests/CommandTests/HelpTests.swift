import KernelTestSupport
import Testing

@Suite struct HelpTests {
  private func firebreak(_ arguments: String...) throws -> ProcessResult {
    try runProcess([Built.firebreak] + arguments)
  }

  @Test func aMatchWithAllItsOptions() throws {
    let help = try firebreak("help", "match", "tcp")
    #expect(help.status == 0)
    for part in [
      "match tcp: TCP ports, flags and options\n", "needs: -p tcp\n", "  [!] --destination-port, --dport PORT[:PORT]\n",
      "  [!] --tcp-flags MASK SET\n", "(not with --syn)\n", "iptables -A INPUT -p tcp -m tcp --dport 22",
    ] {
      #expect(help.stdout.contains(part), "\(part)")
    }
  }

  @Test func aTargetWithItsPlaces() throws {
    let help = try firebreak("help", "target", "DNAT")
    #expect(help.status == 0)
    for part in ["tables: nat\n", "reached from: PREROUTING, OUTPUT\n", "(required)\n"] {
      #expect(help.stdout.contains(part), "\(part)")
    }
    let both = try firebreak("help", "match", "ah").stdout
    #expect(both.contains("for: IPv4\n") && both.contains("for: IPv6\n"))
  }

  @Test func lists() throws {
    let matches = try firebreak("help", "matches")
    #expect(matches.status == 0)
    #expect(matches.stdout.contains("\nicmp6 ") && matches.stdout.contains("ICMPv6 message type and code (IPv6)\n"))
    #expect(try firebreak("help", "targets").stdout.contains("\nMASQUERADE "))
  }

  @Test func asJSON() throws {
    let help = try firebreak("help", "target", "REJECT", "--json")
    #expect(help.status == 0)
    #expect(help.stdout.hasPrefix("[{\"kind\":\"target\",\"name\":\"REJECT\","))
    #expect(help.stdout.contains("\"tables\":[\"filter\"],\"chains\":[\"INPUT\",\"FORWARD\",\"OUTPUT\"]"))
    #expect(try firebreak("help", "matches", "--json").stdout.contains("{\"name\":\"tcp\",\"summary\":"))
  }

  @Test(arguments: [
    (["match", "tpc"], "did you mean tcp?"), (["target", "masqerade"], "did you mean MASQUERADE?"),
    (["match", "SNAT"], "firebreak help target SNAT"), (["target", "tcp"], "firebreak help match tcp"),
    (["match", "quitedifferent"], "firebreak help matches lists them"), (["match"], "firebreak help matches"),
    (["matches", "tcp"], "takes no name"),
  ])
  func unknownNames(_ words: [String], _ hint: String) throws {
    let help = try runProcess([Built.firebreak, "help"] + words)
    #expect(help.status == 64)
    #expect(help.stderr.contains(hint), "\(help.stderr)")
    #expect(help.stdout.isEmpty)
  }

  @Test func commandsHaveTheirHelp() throws {
    let all = try firebreak("help").stdout
    #expect(all.contains("\nSUBCOMMANDS\n  apply ") && all.contains("\n  --version "))
    #expect(!all.contains("complete-words") && !all.contains("\n  guard"))
    for words in [["help", "check"], ["check", "--help"], ["check", "-h"], ["check", "-q", "--help", "--bogus"]] {
      let help = try runProcess([Built.firebreak] + words)
      #expect(help.status == 0)
      #expect(
        help.stdout.hasPrefix("Say what is wrong with rules, without touching any\n")
          || help.stdout.hasPrefix("Say what is wrong with rules"))
      #expect(help.stdout.contains("\nUSAGE\n  firebreak check [OPTION …] <input> …\n"))
    }
    #expect(try firebreak("help", "hook").stdout.contains("netfilter-persistent  the same in netfilter-persistent"))
    for words in [["help", "hook", "install"], ["hook", "help", "install"], ["hook", "install", "-h"]] {
      #expect(try runProcess([Built.firebreak] + words).stdout.contains("\n  --root <dir>  "), "\(words)")
    }
    #expect(try firebreak().stdout == all)
    #expect(try firebreak("hook").stdout == firebreak("help", "hook").stdout)
  }

  /// What people wrote as lists stays as it is, all else is wrapped.
  @Test func helpFitsOnAScreen() throws {
    let help = try firebreak("help", "apply").stdout
    for line in help.split(separator: "\n") { #expect(line.count <= 80, "\(line)") }
    #expect(help.contains("\n  -n, --check, --dry-run  Rehearse all of it and change nothing.\n"))
    #expect(help.contains("\n  --confirm [time] ") && help.contains("share. (default: 5)\n"))
  }
}

/// The script for bash, run by bash.
@Suite(.requires(.tool("bash"))) struct CompletionTests {
  /// What bash would offer for a line that ends where the cursor is.
  private func complete(_ line: String) throws -> Set<String> {
    let driver = """
      source <("$1" completion bash) || exit 3
      command=$(complete -p firebreak) || exit 4
      function=${command##*-F }
      function=${function%% *}
      COMP_LINE=$2 COMP_POINT=${#2} COMP_TYPE=9 COMP_KEY=9
      read -ra COMP_WORDS <<<"$2"
      [[ $2 == *' ' ]] && COMP_WORDS+=('')
      COMP_WORDS[0]=$1
      COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
      "$function" firebreak "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
      printf '%s\\n' "${COMPREPLY[@]}"
      """
    let result = try runProcess(["bash", "--norc", "-c", driver, "bash", Built.firebreak, line])
    #expect(result.status == 0, "\(result)")
    return Set(result.stdout.split(separator: "\n").map { String($0.drop { $0 == " " }) })
  }

  @Test(arguments: [
    ("firebreak iptables -A INPUT -m mul", ["multiport"]), ("firebreak ip6tables -A INPUT -m eu", ["eui64"]),
    ("firebreak iptables -A INPUT -p tcp --dp", ["--dport"]),
    ("firebreak iptables -t nat -A POSTROUTING -j SN", ["SNAT"]),
    ("firebreak iptables -A INPUT -m conntrack --ctstate NEW,R", ["NEW,RELATED"]),
    ("firebreak help match hash", ["hashlimit"]), ("firebreak help target MASQ", ["MASQUERADE"]),
    ("firebreak help mat", ["match", "matches"]), ("firebreak help ch", ["check"]),
    ("firebreak appl", ["apply"]), ("firebreak completion f", ["fish"]),
    ("firebreak ip6", ["ip6tables"]), ("firebreak help hook in", ["install"]),
    ("firebreak apply --backend ", ["auto", "legacy", "nft"]), ("firebreak save -t ma", ["mangle"]),
    ("firebreak apply --no-com", ["--no-compile"]), ("firebreak hook install --root / sys", ["systemd"]),
    ("firebreak run -- --", []), ("firebreak apply rul", []), ("firebreak apply --netns ", []),
    ("firebreak hook ins", ["install"]), ("firebreak hook install net", ["netfilter-persistent"]),
  ])
  func offers(_ line: String, _ expected: [String]) throws {
    #expect(try complete(line) == Set(expected))
  }

  @Test func optionsOfCommandsAreStillOffered() throws {
    #expect(try complete("firebreak check --").isSuperset(of: ["--json", "--netns"]))
    #expect(try complete("firebreak iptables -A INPUT -p tcp --syn ").isSuperset(of: ["--dport", "-j", "!"]))
  }
}

/// The script for zsh, run by zsh in place of whose own functions some of ours print what they are given.
@Suite(.requires(.tool("zsh"))) struct ZshCompletionTests {
  @Test(arguments: [
    (["hook", "ins"], "install\n"), (["iptables", "-A", "INPUT", "-m", "mul"], "multiport\n"),
    (["apply", "rul"], "files\n"),
  ])
  func offers(_ words: [String], _ expected: String) throws {
    let driver = """
      compdef() { }
      compadd() { shift; print -l -- "$@" }
      _files() { print files }
      source <("$1" completion zsh) || exit 3
      words=("$@")
      CURRENT=$#
      _firebreak
      """
    let result = try runProcess(["zsh", "-f", "-c", driver, "zsh", Built.firebreak] + words)
    #expect(result.status == 0 && result.stdout == expected, "\(result)")
  }
}

@Suite(.requires(.tool("fish"))) struct FishCompletionTests {
  @Test(arguments: [
    ("hook ins", "install"), ("iptables -A INPUT -m mul", "multiport"), ("ap", "apply"), ("save -t ma", "mangle"),
  ])
  func offers(_ line: String, _ expected: String) throws {
    let driver =
      "function firebreak; end; \(Built.firebreak) completion fish | source; complete -C '\(Built.firebreak) \(line)'"
    let result = try runProcess(["fish", "--no-config", "-c", driver], environment: ["HOME": "/nonexistent"])
    #expect(result.status == 0 && result.stdout == expected + "\n", "\(result)")
  }
}
