internal import Firebreak

/// A table of nf_tables, or all of a family, on the command line.
struct ImageTableChoice: ArgumentValue {
  let family: NFTFamily
  let name: ObjectName?

  /// `inet filter`, or `inet`.
  init?(argument: String) {
    let words = argument.split(separator: " ")
    guard let first = words.first, words.count <= 2, let family = NFTFamily(String(first)) else { return nil }
    self.family = family
    name = words.count == 2 ? ObjectName(String(words[1])) : nil
  }
}

/// Which tables of nf_tables `snapshot` and `restore` are about.
struct ImageOptions: ParameterGroup {
  @Option(
    "--table", "-t",
    help: """
      Only this table, or all tables of a family (inet, ip, ip6, arp, bridge or netdev alone). May be given several times.
      """, placeholder: "'family name'")
  var table: [ImageTableChoice]

  /// - Parameter site: -4 and -6 choose the families ip and ip6.
  func selection(_ site: SiteOptions) -> ImageSelection {
    var result = ImageSelection()
    if let family = site.family { result.families.append(family == .ipv4 ? .ip : .ip6) }
    for choice in table {
      if let name = choice.name {
        result.tables.append(RulesetImage.ID(choice.family, name))
      } else {
        result.families.append(choice.family)
      }
    }
    return result
  }
}

extension RulesetImage.Table {
  /// `inet filter: 3 chains, 12 rules, 1 set with 4 elements, 2 objects, 1 flowtable`
  var summary: String {
    func count(_ number: Int, _ one: String) -> String { number == 1 ? "1 \(one)" : "\(number) \(one)s" }
    var parts = [count(chains.count, "chain"), count(ruleCount, "rule")]
    if !sets.isEmpty { parts.append("\(count(sets.count, "set")) with \(count(elementCount, "element"))") }
    if !objects.isEmpty { parts.append(count(objects.count, "object")) }
    if !flowtables.isEmpty { parts.append(count(flowtables.count, "flowtable")) }
    return "\(id): \(parts.joined(separator: ", "))\(isDormant ? ", dormant" : "")"
  }

  private var ruleCount: Int { chains.reduce(0) { $0 + $1.rules.count } }
  private var elementCount: Int { sets.reduce(0) { $0 + $1.elements.count } }
}

extension JSON {
  init(_ id: RulesetImage.ID) {
    self = .object([("family", .string(id.family.description)), ("table", .string(id.name.description))])
  }

  init(_ table: RulesetImage.Table) {
    self = .object([
      ("family", .string(table.id.family.description)), ("table", .string(table.id.name.description)),
      ("dormant", .bool(table.isDormant)), ("chains", .array(table.chains.map { JSON($0) })),
      ("sets", .array(table.sets.map { JSON($0) })),
      (
        "objects",
        .array(
          table.objects.map {
            .object([("name", .string($0.name.description)), ("type", .string($0.typeName))])
          })
      ),
      (
        "flowtables",
        .array(
          table.flowtables.map {
            .object([
              ("name", .string($0.name.description)), ("priority", .number(Int($0.priority))),
              ("devices", .array($0.devices.map { .string($0.description) })),
            ])
          })
      ),
    ])
  }

  private init(_ chain: RulesetImage.Chain) {
    var members: [(String, JSON)] = [
      ("name", .string(chain.name.description)), ("rules", .number(chain.rules.count)),
    ]
    if let base = chain.base {
      members += [
        ("type", .string(base.type)), ("hook", .number(Int(base.hook))), ("priority", .number(Int(base.priority))),
        ("policy", .string(base.policy == 0 ? "drop" : "accept")),
        ("devices", .array(base.devices.map { .string($0.description) })),
      ]
    }
    self = .object(members)
  }

  private init(_ set: RulesetImage.ElementSet) {
    self = .object([
      ("name", .string(set.name.description)), ("map", .bool(set.isMap)), ("anonymous", .bool(set.isAnonymous)),
      ("elements", .number(set.elements.count)),
    ])
  }
}
