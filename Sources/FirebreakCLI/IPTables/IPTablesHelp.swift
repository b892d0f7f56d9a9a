internal import Firebreak

/// What `-h` prints: the commands and options, and those of the extensions named before it.
struct IPTablesHelp {
  private let tool: Tool

  init(_ tool: Tool) { self.tool = tool }

  func text(_ subjects: [ExtensionDefinition]) -> String {
    var text = """
      \(tool.versionLine)

      Usage: \(tool.name) -[ACD] chain rule-specification [options]
             \(tool.name) -I chain [rulenum] rule-specification [options]
             \(tool.name) -R chain rulenum rule-specification [options]
             \(tool.name) -D chain rulenum [options]
             \(tool.name) -[LS] [chain [rulenum]] [options]
             \(tool.name) -[FZ] [chain] [options]
             \(tool.name) -[NX] chain
             \(tool.name) -E old-chain-name new-chain-name
             \(tool.name) -P chain target [options]
             \(tool.name) -h (print this help information)

      Commands:
        -A, --append CHAIN               add the rule at the end of the chain
        -C, --check CHAIN                is the rule there? (exit status)
        -D, --delete CHAIN [N]           delete the first such rule, or rule N
        -I, --insert CHAIN [N]           put the rule before rule N, or first
        -R, --replace CHAIN N            put the rule in place of rule N
        -L, --list [CHAIN [N]]           list rules in columns
        -S, --list-rules [CHAIN [N]]     list rules as commands
        -F, --flush [CHAIN]              delete all rules of a chain, or of all
        -Z, --zero [CHAIN [N]]           set counters to zero
        -N, --new-chain CHAIN            make a chain
        -X, --delete-chain [CHAIN]       delete an empty chain, or all of them
        -P, --policy CHAIN TARGET        what happens to packets that no rule decides
        -E, --rename-chain OLD NEW       give a chain another name

      Options ([!] may stand before those that have it):
        -4, --ipv4  -6, --ipv6           the family; the other one's lines are left out by restore
        [!] -p, --protocol PROTOCOL      by number or name
        [!] -s, --source ADDRESS[/MASK][,…]
        [!] -d, --destination ADDRESS[/MASK][,…]
        [!] -i, --in-interface NAME[+]   + stands for any ending
        [!] -o, --out-interface NAME[+]
        -j, --jump TARGET                a verdict, a target or a chain
        -g, --goto CHAIN                 jump without coming back here
        -m, --match MATCH                ask an extension too
        -t, --table TABLE                filter, nat, mangle, raw or security; filter if not given
        -n, --numeric                    list numbers, not names
        -v, --verbose                    list counters and interfaces, tell what is done
        -x, --exact                      list counters to the last digit
        --line-numbers                   number the listed rules
        -c, --set-counters PKTS BYTES    give the rule or policy these counters
        -w, --wait [SECONDS]             wait so long for the lock
        -V, --version

      """
    if tool.family == .ipv4 { text += "  [!] -f, --fragment               second and later fragments only\n" }
    for subject in subjects { text += "\n" + help(subject) }
    return text
  }

  /// The options of one extension under a heading that tells what it is.
  private func help(_ definition: ExtensionDefinition) -> String {
    let isTarget = Registry.standard.target(named: definition.name, family: tool.family)?.definition === definition
    let kind = isTarget ? "target" : "match"
    guard !definition.options.isEmpty else { return "\(definition.name) \(kind) takes no options\n" }
    var text = "\(definition.name) \(kind) options:\n"
    for option in definition.options {
      let names = ([option.name] + option.aliases).map { "\($0)" }.joined(separator: ", ")
      let value = option.takesValue ? " \(option.value.placeholder)" : ""
      text += "  \(option.isNegatable ? "[!] " : "")\(names)\(value)\n        \(option.summary)\n"
    }
    if let details = definition.details { text += details() + "\n" }
    return text
  }
}
