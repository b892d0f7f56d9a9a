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

  @Test func commandsHaveTheirHelpAsBefore() throws {
    #expect(try firebreak("help").stdout.contains("SUBCOMMANDS:"))
    #expect(try firebreak("help", "check").stdout.hasPrefix("OVERVIEW: Say what is wrong with rules"))
    #expect(try !firebreak("help").stdout.contains("complete-words"))
    #expect(try firebreak("help", "hook").stdout.contains("netfilter-persistent  the same in netfilter-persistent"))
    #expect(try firebreak("help", "hook", "install").stdout.contains("--root <dir>"))
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
    ("firebreak hook ins", ["install"]), ("firebreak hook install net", ["netfilter-persistent"]),
  ])
  func offers(_ line: String, _ expected: [String]) throws {
    #expect(try complete(line) == Set(expected))
  }

  @Test func optionsOfCommandsAreStillOffered() throws {
    #expect(try complete("firebreak check --").isSuperset(of: ["--json", "--netns"]))
    #expect(try complete("firebreak iptables -A INPUT -p tcp --syn ").isSuperset(of: ["--dport", "-j", "!"]))
  }

  @Test(arguments: ["zsh", "fish"]) func otherShellsHaveScripts(_ shell: String) throws {
    let script = try runProcess([Built.firebreak, "completion", shell])
    #expect(script.status == 0)
    #expect(script.stdout.contains("complete-words") && script.stdout.contains("iptables"))
  }
}
