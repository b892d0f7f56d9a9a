internal import Glibc
public import CommitEngine
public import Netfilter
internal import Synchronization

/// Rules from files: what `apply`, `check` and `diff` are given.
public struct RulesInput: Sendable {
  private let files: [(path: String, file: InputFile)]
  /// Of iptables-save text whose name and header do not tell.
  private let family: Family?
  private let interface: KernelInterface

  /// Opens inputs. A directory stands for its files ending in `.rules`, `.v4` and `.v6`, in the order of their names.
  /// - Parameter interface: by which the kernel is to get the rules; ip_tables takes less.
  public init(_ paths: [String], family: Family? = nil, for interface: KernelInterface = .ipTables)
    throws(InputFile.Unreadable)
  {
    self.family = family
    self.interface = interface
    var files: [(path: String, file: InputFile)] = []
    for path in try Self.expand(paths) { files.append((path, try InputFile(path: path))) }
    self.files = files
  }

  /// Opens and reads inputs.
  /// - Throws: ``InputFile/Unreadable``. What is wrong inside a file is in the reading's diagnostics.
  public static func read(
    _ paths: [String], family: Family? = nil, for interface: KernelInterface = .ipTables, names: Names = .system
  ) throws(InputFile.Unreadable) -> RulesText.Reading {
    try RulesInput(paths, family: family, for: interface).read(names: names)
  }

  /// The bytes of all of them, with what else decides what they say.
  public var text: SourceText {
    SourceText(
      files.map(\.file.bytes),
      under: files.map(\.path) + [family.map { "\($0)" } ?? "", interface == .ipTables ? "ip_tables" : "nf_tables"])
  }

  /// Reads the inputs in order as one ruleset.
  ///
  /// A list of commands goes on where the inputs before it ended, as if one script had called the next. iptables-save
  /// text brings whole tables; a table that an earlier input has brought is an error. What is wrong inside a file is in
  /// the reading's diagnostics.
  public func read(names: Names = .system) -> RulesText.Reading {
    var result = RulesText.Reading()
    let asked = Flag()
    let names = names.telling { asked.raise() }
    for (path, file) in files {
      let reading = file.withBytes { bytes in
        RulesText.read(
          bytes, file: path, after: result.files, family: family, continuing: result.ruleset, for: interface,
          names: names, together: runTogether)
      }
      result.files.append(path)
      result.ruleset = reading.ruleset
      result.diagnostics += reading.diagnostics
      result.hasCounters = result.hasCounters || reading.hasCounters
    }
    result.isSelfContained = !asked.isRaised
    return result
  }

  private static func expand(_ paths: [String]) throws(InputFile.Unreadable) -> [String] {
    var result: [String] = []
    for path in paths {
      if path != "-", let names = entries(of: path) {
        let files = names.filter { name in
          [".rules", ".v4", ".v6"].contains { name.hasSuffix($0) } && !name.hasPrefix(".")
        }
        guard !files.isEmpty else { throw InputFile.Unreadable(path: path, code: ENOENT) }
        result += files.sorted().map { "\(path)/\($0)" }
      } else {
        result.append(path)
      }
    }
    return result
  }

  /// The names in a directory, nil when it is none.
  private static func entries(of path: String) -> [String]? {
    guard let directory = opendir(path) else { return nil }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      names.append(withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) })
    }
    return names
  }
}

/// Raised once, by whichever thread.
private final class Flag: Sendable {
  private let value = Atomic(false)
  func raise() { value.store(true, ordering: .relaxed) }
  var isRaised: Bool { value.load(ordering: .relaxed) }
}
