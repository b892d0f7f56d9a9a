import Glibc
import KernelTestSupport
import Testing

private let folder = Built.packageDirectory + "/.build/tools/ansible/bin"
private let playbook = folder + "/ansible-playbook"

/// The playbook of the examples, run by Ansible over a local connection in a namespace. scripts/setup has it installed.
@Suite(.requires(.legacyTables, .nfTables, .tool("iptables-nft-save"), .tool(playbook)))
struct AnsibleTests {
  private static let example = Built.packageDirectory + "/examples/provisioning/ansible"

  private struct Site {
    let space: TestNamespace
    let root: ImageRoot

    init() throws {
      space = try TestNamespace()
      root = try ImageRoot()
    }

    func play(_ path: String = AnsibleTests.example + "/site.yml", _ options: String...) throws -> ProcessResult {
      let variables = [
        "ansible_python_interpreter=\(folder)/python", "firebreak_program=\(Built.firebreak)",
        "firebreak_state_dir=\(space.stateDirectory)", "firebreak_backend=nft",
        "{\"firebreak_hook_options\": [\"--root\", \"\(root.path)\"]}",
      ]
      let words = [playbook, "-i", "localhost,", "-c", "local", path] + options
      // No terminal, and nothing in anybody's home.
      return try space.run(
        words + variables.flatMap { ["-e", $0] },
        environment: [
          "HOME": space.directory, "ANSIBLE_HOME": space.directory + "/ansible", "ANSIBLE_NOCOLOR": "1",
          "ANSIBLE_CONFIG": try space.file("ansible.cfg", ""), "ANSIBLE_LIBRARY": AnsibleTests.example + "/library",
          "ANSIBLE_REMOTE_TEMP": space.directory + "/remote", "ANSIBLE_LOCALHOST_WARNING": "False", "LC_ALL": "C.UTF-8",
        ], timeout: 120)
    }

    var rules: [String] {
      get throws {
        try ["iptables", "ip6tables"].flatMap { tool in
          comparable(try space.require([tool + "-nft-save"]).stdout).filter { $0.hasPrefix("-A") }
        }
      }
    }
  }

  @Test func thePlaybookOfTheExamples() throws {
    let site = try Site()
    let rehearsed = try site.play(Self.example + "/site.yml", "--check", "--diff")
    #expect(rehearsed.status == 0 && rehearsed.stdout.contains("changed=2 "), "\(rehearsed)")
    #expect(rehearsed.stdout.contains("+ -A INPUT -p tcp -m tcp --dport 22 -j ACCEPT"), "\(rehearsed)")
    #expect(try site.rules == [] && site.root.listing == "", "a rehearsal changes nothing")
    #expect(try site.space.firebreak(["log", "--json"]).stdout == "[]\n")

    let first = try site.play()
    // The hook, the commit, its confirmation.
    #expect(first.status == 0 && first.stdout.contains("changed=3 "), "\(first)")
    let rules = try site.rules
    #expect(rules.count == 9, "\(rules)")
    #expect(site.root.has("/etc/systemd/system/multi-user.target.wants/firebreak.service"))
    #expect(try site.space.firebreak(["confirm", "--backend", "nft"]).stderr.contains("no commit waits"))

    let second = try site.play(Self.example + "/site.yml", "--diff")
    #expect(second.status == 0 && second.stdout.contains("changed=0 "), "\(second)")
    #expect(try site.rules == rules)
    let rehearsedAgain = try site.play(Self.example + "/site.yml", "--check", "--diff")
    #expect(rehearsedAgain.status == 0 && rehearsedAgain.stdout.contains("changed=0 "), "\(rehearsedAgain)")
  }

  /// What the module returns, and how it fails.
  @Test func theModule() throws {
    let site = try Site()
    let path = try site.space.file(
      "play.yml",
      """
      - hosts: all
        gather_facts: false
        module_defaults:
          firebreak: {program: "{{ firebreak_program }}", state_dir: "{{ firebreak_state_dir }}", backend: nft}
        tasks:
          - firebreak: {ipv4: "*filter\\n-A INPUT -s 192.0.2.1 -j DROP\\nCOMMIT\\n"}
            register: one
          - firebreak: {ipv4: "*filter\\n-A INPUT -s 192.0.2.2 -j DROP\\nCOMMIT\\n", confirm: 60s}
            register: two
          - firebreak: {state: confirmed}
            check_mode: true
            register: asked
          - firebreak: {state: confirmed}
            register: kept
          - firebreak: {state: confirmed}
            check_mode: true
            register: askedAgain
          - firebreak: {ipv4: "*filter\\n-A INPUT -s 192.0.2.3 -j DROP\\nCOMMIT\\n", verify: ["exit 1"]}
            register: taken
            failed_when: false
          - firebreak: {ipv4: "*filter\\n-A INPUT --dprot 3 -j DROP\\nCOMMIT\\n"}
            register: wrong
            failed_when: false
          - ansible.builtin.assert:
              that:
                - one is changed and one.before == 0 and one.after == 1 and one.generation == 1 and not one.rolled_back
                - two is changed and two.awaits and two.before == 1 and two.generation == 2
                - two.added == 1 and two.removed == 1
                - asked is changed and kept is changed and kept.generation == 2 and askedAgain is not changed
                - taken is not changed and taken.rolled_back and taken.rc == 82
                - wrong is not changed and not wrong.rolled_back and wrong.rc == 65
                - wrong.diagnostics[0].line == 2
      """)
    let result = try site.play(path)
    #expect(result.status == 0 && result.stdout.contains("failed=0"), "\(result)")
    #expect(try site.rules == ["-A INPUT -s 192.0.2.2/32 -j DROP"])
  }
}
