/// The options of iptables(8) that belong to no extension.
enum BaseOption: CaseIterable {
  case append, check, delete, insert, replace, list, listRules, flush, zero, newChain, deleteChain, rename, policy
  case source, destination, proto, inInterface, outInterface, fragment, jump, goto, match
  case table, counters, numeric, exact, verbose, lineNumbers, wait, waitInterval, modprobe, ipv4, ipv6, help, version

  /// The letter, 0 where there is none, and the long spellings.
  private var spelling: (letter: Character?, names: [StaticString]) {
    switch self {
    case .append: ("A", ["--append"])
    case .check: ("C", ["--check"])
    case .delete: ("D", ["--delete"])
    case .insert: ("I", ["--insert"])
    case .replace: ("R", ["--replace"])
    case .list: ("L", ["--list"])
    case .listRules: ("S", ["--list-rules"])
    case .flush: ("F", ["--flush"])
    case .zero: ("Z", ["--zero"])
    case .newChain: ("N", ["--new-chain", "--new"])
    case .deleteChain: ("X", ["--delete-chain"])
    case .rename: ("E", ["--rename-chain"])
    case .policy: ("P", ["--policy"])
    case .source: ("s", ["--source", "--src"])
    case .destination: ("d", ["--destination", "--dst"])
    case .proto: ("p", ["--protocol"])
    case .inInterface: ("i", ["--in-interface"])
    case .outInterface: ("o", ["--out-interface"])
    case .fragment: ("f", ["--fragments", "--fragment"])
    case .jump: ("j", ["--jump"])
    case .goto: ("g", ["--goto"])
    case .match: ("m", ["--match"])
    case .table: ("t", ["--table"])
    case .counters: ("c", ["--set-counters"])
    case .numeric: ("n", ["--numeric"])
    case .exact: ("x", ["--exact"])
    case .verbose: ("v", ["--verbose"])
    case .lineNumbers: (nil, ["--line-numbers", "--line-number"])
    case .wait: ("w", ["--wait"])
    case .waitInterval: ("W", ["--wait-interval"])
    case .modprobe: ("M", ["--modprobe"])
    case .ipv4: ("4", ["--ipv4"])
    case .ipv6: ("6", ["--ipv6"])
    case .help: ("h", ["--help"])
    case .version: ("V", ["--version"])
    }
  }

  var longNames: [StaticString] { spelling.names }
  var letter: Character? { spelling.letter }

  private static let byLetter: [BaseOption?] = {
    var table = [BaseOption?](repeating: nil, count: 128)
    for option in allCases {
      if let letter = option.spelling.letter?.asciiValue { table[Int(letter)] = option }
    }
    return table
  }()

  @inline(__always)
  init?(letter: UInt8) {
    guard letter < 128, let option = Self.byLetter[Int(letter)] else { return nil }
    self = option
  }

  private static let byName: [(name: StaticString, option: BaseOption)] = allCases.flatMap { option in
    option.longNames.map { ($0, option) }
  }

  init?(name: Token) {
    guard let found = Self.byName.first(where: { name == $0.name }) else { return nil }
    self = found.option
  }

  /// Whether a value must follow. `-F`, `-L`, `-S`, `-X` and `-Z` take a chain only where one is given.
  var takesValue: Bool {
    switch self {
    case .append, .check, .delete, .insert, .replace, .newChain, .rename, .policy, .source, .destination, .proto,
      .inInterface, .outInterface, .jump, .goto, .match, .table, .counters, .modprobe:
      true
    default: false
    }
  }

  /// Whether a value may follow, in the option's own word (`-w5`, `--list=INPUT`) or as the next one.
  var mayTakeValue: Bool {
    switch self {
    case .flush, .list, .listRules, .deleteChain, .zero, .wait, .waitInterval, .help: true
    default: takesValue
    }
  }

  var isNegatable: Bool {
    switch self {
    case .source, .destination, .proto, .inInterface, .outInterface, .fragment: true
    default: false
    }
  }
}
