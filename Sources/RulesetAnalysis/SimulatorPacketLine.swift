public import Netfilter

/// A packet, and where it is looked at, as one line of JSON says it:
///
///     {"family":4,"table":"filter","chain":"FORWARD","in":"eth0","out":"eth1","src":"192.0.2.1","dst":"198.51.100.2",
///      "proto":"tcp","sport":10000,"dport":22,"flags":["SYN"],"ctstate":"NEW"}
///
/// What a line does not say is not known, but for three things: without `table` it is `filter`, without `in` and `out` the
/// packet came in or goes out by no interface, and the family is that of the addresses.
public struct PacketLine: Sendable {
  public let table: TableName
  public let hook: Hook
  public let packet: Packet

  /// - Parameter bytes: one line, in UTF-8.
  /// - Throws: ``SyntaxError`` with the column and the name of the field.
  public init(json bytes: UnsafeBufferPointer<UInt8>, names: Names = .wellKnown) throws(SyntaxError) {
    var reader = JSONReader(bytes)
    var draft = PacketDraft(names: names)
    var place = Place()
    var isFirst = true
    try reader.beginObject()
    while let name = try reader.nextName(isFirst: isFirst) {
      isFirst = false
      if let field = PacketField(name) {
        if field.isList {
          try Self.readList(&reader, &draft, field, name)
        } else if let word = try Self.word(&reader, name) {
          try draft.set(field, word)
        }
      } else {
        try place.read(&reader, name)
      }
    }
    guard reader.isAtEnd else { throw reader.unexpected("the end of the line behind the object") }
    let packet = try draft.finish()
    self.packet = packet
    (table, hook) = try place.finish(packet.family)
  }

  private static func word(_ reader: inout JSONReader, _ name: Token) throws(SyntaxError) -> Token? {
    do throws(SyntaxError) {
      return try reader.word()
    } catch {
      throw SyntaxError(
        column: error.column, length: error.length, "\(name.string): \(error.message)", hint: error.hint)
    }
  }

  private static func readList(
    _ reader: inout JSONReader, _ draft: inout PacketDraft, _ field: PacketField, _ name: Token
  ) throws(SyntaxError) {
    guard reader.beginArray() else {
      guard let word = try Self.word(&reader, name) else { return }
      throw SyntaxError(
        at: word, "\(field.name): '\(word.string)' is not a list", hint: "write [\"\(word.string)\"]")
    }
    try draft.beginList(field, name)
    var isFirst = true
    while try reader.hasNextElement(isFirst: isFirst) {
      isFirst = false
      guard let word = try Self.word(&reader, name) else {
        throw SyntaxError(at: name, "\(field.name): null in a list")
      }
      try draft.add(field, word)
    }
  }

  /// The members that say where the packet is looked at.
  private struct Place {
    private var family: (value: Family, column: Int)?
    private var table: TableName?
    private var hook: (value: Hook, column: Int)?

    mutating func read(_ reader: inout JSONReader, _ name: Token) throws(SyntaxError) {
      if name == "family" {
        guard let word = try PacketLine.word(&reader, name) else { return }
        guard family == nil else { throw SyntaxError(at: name, "'family' is said twice") }
        guard word == "4" || word == "6" else { throw SyntaxError(at: word, "family: '\(word.string)' is not 4 or 6") }
        family = (word == "4" ? .ipv4 : .ipv6, word.column)
      } else if name == "table" {
        guard let word = try PacketLine.word(&reader, name) else { return }
        guard table == nil else { throw SyntaxError(at: name, "'table' is said twice") }
        guard let known = TableName.allCases.first(where: { word.holds($0.rawValue) }) else {
          throw SyntaxError(
            at: word, "table: there is no table '\(word.string)'",
            hint: suggestion(for: word.string, among: TableName.allCases.map(\.rawValue)))
        }
        table = known
      } else if name == "chain" {
        guard let word = try PacketLine.word(&reader, name) else { return }
        guard hook == nil else { throw SyntaxError(at: name, "'chain' is said twice") }
        guard let known = Hook.allCases.first(where: { word.holds($0.chainName.text) }) else {
          throw SyntaxError(
            at: word, "chain: '\(word.string)' is not a built-in chain, where packets begin",
            hint: suggestion(for: word.string, among: Hook.allCases.map(\.chainName.text)))
        }
        hook = (known, word.column)
      } else {
        let known = PacketField.allCases.map(\.name) + ["family", "table", "chain"]
        throw SyntaxError(
          at: name, "'\(name.string)' is no property of a packet", hint: suggestion(for: name.string, among: known))
      }
    }

    func finish(_ family: Family) throws(SyntaxError) -> (TableName, Hook) {
      if let said = self.family, said.value != family {
        throw SyntaxError(column: said.column, "family: the addresses are those of \(family)")
      }
      guard let hook else { throw SyntaxError("'chain' is missing", hint: "such as \"chain\":\"FORWARD\"") }
      let table = table ?? .filter
      guard table.hooks.contains(HookSet(hook.value)) else {
        throw SyntaxError(
          column: hook.column, "chain: table \(table) has no chain \(hook.value.chainName)",
          hint: "it has \(table.hooks.hooks.map(\.chainName.text).joined(separator: ", "))")
      }
      return (table, hook.value)
    }
  }
}
