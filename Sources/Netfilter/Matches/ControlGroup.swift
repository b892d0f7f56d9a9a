/// The control group of the process whose socket a packet belongs to
/// (`struct xt_cgroup_info_v2`, before Linux 5.0 `struct xt_cgroup_info_v1`, linux/netfilter/xt_cgroup.h).
public struct ControlGroup: Match {
  public let group: Negatable<Group>
  /// A path takes more room in revision 1; only what the kernel gave in it is written in it.
  private let isRevision1: Bool

  public enum Group: Hashable, Sendable {
    /// The group and what is below it, in version 2.
    case path(ControlGroupPath)
    /// The class of the `net_cls` controller, in version 1.
    case classID(UInt32)
  }

  public init(_ group: Negatable<Group>) {
    self.group = group
    isRevision1 = false
  }
}

/// The path of a control group from the root of version 2. It has to be there when the rule is made.
public struct ControlGroupPath: Hashable, Sendable {
  public let text: String

  /// `XT_CGROUP_PATH_MAX` less its terminator.
  public static let maxBytes = 511

  /// nil when the text is empty, longer than 511 bytes, or holds a line break or a zero.
  public init?(_ text: String) {
    let isLine = text.utf8.allSatisfy(canStandInText)
    guard !text.isEmpty, text.utf8.count <= Self.maxBytes, isLine else { return nil }
    self.text = text
  }
}

// MARK: Syntax

extension ControlGroup {
  public static let definition = ExtensionDefinition(
    "cgroup", summary: "control group of the process", revisions: [0, 1, 2], hooks: [.input, .output, .postrouting],
    options: [
      OptionSpec(
        "--path", .string(maxBytes: ControlGroupPath.maxBytes), negatable: true, excludes: ["--cgroup"],
        "path from the root of the control groups; those below it are meant too"),
      OptionSpec("--cgroup", .anyNumber, negatable: true, excludes: ["--path"], "class of the net_cls controller"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    isRevision1 = false
    if let text = try options.string("--path") {
      guard let path = ControlGroupPath(text) else { throw options.error("--path", "'\(text)' is not a path") }
      group = Negatable(.path(path), inverted: options.isInverted("--path"))
    } else if let number = try options.condition("--cgroup") {
      group = Negatable(.classID(number.value), inverted: number.isInverted)
    } else {
      throw SyntaxError("cgroup needs --path or --cgroup").byKernel
    }
  }

  public func print(to out: inout RuleWriter) {
    switch group.value {
    case .path(let path):
      out.option("--path", inverted: group.isInverted)
      out.quoted(path.text)
    case .classID(let number):
      out.option("--cgroup", inverted: group.isInverted)
      out.number(number)
    }
  }

  public func list(to out: inout RuleWriter) {
    out.word("cgroup")
    if group.isInverted { out.word("!") }
    switch group.value {
    case .path(let path): out.word(path.text)
    case .classID(let number): out.number(number)
    }
  }
}

// MARK: Kernel bytes

extension ControlGroup {
  /// Room for the path with its terminator.
  private static let pathSize = ControlGroupPath.maxBytes + 1
  private static let pathSizeOfRevision1 = 4096

  public func revision(for family: Family) -> UInt8 { isRevision1 ? 1 : 2 }

  public func encode(to out: inout ByteWriter, family: Family) { encode(to: &out, isRevision1: isRevision1) }

  /// Revision 0 has nothing but classes.
  public func encode(to out: inout ByteWriter, family: Family, earlier revision: UInt8) -> Bool {
    if revision == 1 {
      encode(to: &out, isRevision1: true)
      return true
    }
    guard revision == 0, case .classID(let number) = group.value else { return false }
    out.write(number)
    out.write(UInt32(group.isInverted ? 1 : 0))
    return true
  }

  private func encode(to out: inout ByteWriter, isRevision1: Bool) {
    var path: String?
    var classID: UInt32?
    switch group.value {
    case .path(let value): path = value.text
    case .classID(let value): classID = value
    }
    out.write(flag: path != nil)
    out.write(flag: classID != nil)
    out.write(flag: path != nil && group.isInverted)
    out.write(flag: classID != nil && group.isInverted)
    if isRevision1 {
      out.write(text: path ?? "", size: Self.pathSizeOfRevision1)
      out.write(classID ?? 0)
    } else if let classID {
      out.write(classID)
      out.zeros(Self.pathSize - 4)
    } else {
      out.write(text: path ?? "", size: Self.pathSize)
    }
    // The kernel's pointer, at a multiple of 8.
    out.zeros(isRevision1 ? 8 : 4 + 8)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    if revision == 0 {
      let number = try bytes.uint32("id")
      let inverted = try bytes.uint32("invert")
      guard inverted <= 1 else { throw bytes.invalid("invert") }
      group = Negatable(.classID(number), inverted: inverted == 1)
      isRevision1 = false
      return
    }
    let hasPath = try bytes.flag("has_path")
    let hasClassID = try bytes.flag("has_classid")
    let invertsPath = try bytes.flag("invert_path")
    let invertsClassID = try bytes.flag("invert_classid")
    guard hasPath != hasClassID, hasPath || !invertsPath, hasClassID || !invertsClassID else {
      throw bytes.invalid("has_path")
    }
    isRevision1 = revision == 1
    let start = bytes.offset
    if hasPath {
      let path = try bytes.controlGroupPath(size: isRevision1 ? Self.pathSizeOfRevision1 : Self.pathSize)
      group = Negatable(.path(path), inverted: invertsPath)
      if isRevision1 { try bytes.zeros("classid", 4) }
    } else {
      if isRevision1 { try bytes.zeros("path", Self.pathSizeOfRevision1) }
      group = Negatable(.classID(try bytes.uint32("classid")), inverted: invertsClassID)
      if !isRevision1 { try bytes.zeros("path", start + Self.pathSize - bytes.offset) }
    }
    try bytes.zeros("priv", isRevision1 ? 8 : 4 + 8)
  }
}

extension ByteReader {
  /// Text with nothing but zeros behind it.
  fileprivate mutating func controlGroupPath(size: Int) throws(WireError) -> ControlGroupPath {
    let field = try raw("path", count: size)
    let text = field.prefix { $0 != 0 }
    guard field[text.count...].allSatisfy({ $0 == 0 }), let string = String(validating: text, as: UTF8.self),
      let path = ControlGroupPath(string)
    else { throw invalid("path") }
    return path
  }
}

// MARK: Meaning

extension ControlGroup {
  public func matches(_ packet: Packet) -> Answer { .depends(on: "the control group of the packet's socket") }
}
