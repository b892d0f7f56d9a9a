internal import Firebreak

/// A program of iptables(8) that this command stands in for, by its first word or by the name it is called by.
struct Tool {
  enum Kind {
    case command
    case restore
    case save
    case xml
  }

  let family: Family
  let kind: Kind
  /// nil where the name does not say.
  private let named: KernelInterface?
  /// Known when the tool runs.
  private(set) var interface = KernelInterface.ipTables

  /// The release of iptables whose options, output and exit statuses these are.
  static let release = "1.8.9"

  /// `iptables`, `ip6tables-legacy-save`, `iptables-nft`, with or without a directory before it; nil for other names.
  init?(path: String) {
    var name = String(path.split(separator: "/" as Character).last ?? "")
    if name == "iptables-xml" {
      (family, kind, named) = (.ipv4, .xml, .ipTables)
      return
    }
    kind = name.hasSuffix("-restore") ? .restore : name.hasSuffix("-save") ? .save : .command
    if kind != .command { name = String(name.dropLast(kind == .save ? 5 : 8)) }
    let parts = name.split(separator: "-", maxSplits: 1)
    switch parts.first {
    case "iptables": family = .ipv4
    case "ip6tables": family = .ipv6
    default: return nil
    }
    switch parts.dropFirst().first {
    case nil: named = nil
    case "legacy": named = .ipTables
    case "nft": named = .nfTables
    default: return nil
    }
  }

  /// As iptables calls itself in messages, whatever the name of its file.
  var name: String {
    switch kind {
    case .command: family.toolName
    case .restore: "\(family.toolName)-restore"
    case .save: "\(family.toolName)-save"
    case .xml: "iptables-xml"
    }
  }

  /// `iptables v1.8.9 (legacy)`, which programs look at to tell what they talk to.
  var versionLine: String { "\(name) v\(Self.release) (\(interface.label))" }

  /// The same as it stands in the output of -save, where only the one of nf_tables says which it is.
  var generatorLine: String { interface == .ipTables ? "\(name) v\(Self.release)" : versionLine }

  /// Does what the words after the name say.
  /// - Returns: the exit status.
  func run(_ words: ArraySlice<Token>) -> Int32 {
    var tool = self
    let place = named.map { (interface: $0, areBothInUse: false) } ?? KernelInterface.present()
    tool.interface = place.interface
    return tool.perform(words, warning: place.areBothInUse)
  }

  private func perform(_ words: ArraySlice<Token>, warning: Bool) -> Int32 {
    var output = ToolOutput(self)
    if warning {
      output.complain(
        "# Warning: both ip_tables and nf_tables hold rules, and \(name) acts on ip_tables until they are gone there; "
          + "\(family.toolName)-legacy and \(family.toolName)-nft say which")
    }
    let status: ToolStatus
    do throws(ToolFailure) {
      switch kind {
      case .command: status = try IPTablesCommand(self).run(words, &output)
      case .restore: status = try IPTablesRestore(self).run(words, &output)
      case .save: status = try IPTablesSave(self).run(words, &output)
      case .xml: status = try IPTablesXML().run(words, &output)
      }
    } catch {
      output.report(error)
      output.flush()
      return error.status.rawValue
    }
    output.flush()
    return status.rawValue
  }
}

/// The exit statuses of iptables(8) and what they say.
enum ToolStatus: Int32 {
  case done = 0
  /// The kernel or libiptc refused it.
  case failed = 1
  /// The words are wrong.
  case usage = 2
  /// The kernel has no such table, or does not let us see it.
  case noTable = 3
  /// Somebody else holds the lock or has changed the table meanwhile, or nf_tables refused what was committed.
  case busy = 4
}
