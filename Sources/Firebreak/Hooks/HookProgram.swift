/// How hooks call Firebreak.
package struct HookProgram: Hashable, Sendable {
  /// The absolute path of the program, in the system that the hook is in.
  package let path: String
  /// For every command: where its state is, which backend to use.
  package let options: [String]

  /// - Throws: ``HookFailure/unwritable(_:reason:)``
  package init(_ path: String, options: [String] = []) throws(HookFailure) {
    for word in [path] + options where word.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7f }) {
      throw .unwritable(word, reason: "it has a control character")
    }
    guard path.hasPrefix("/") else { throw .unwritable(path, reason: "it has to begin with /") }
    self.path = path
    self.options = options
  }

  /// A command as a line for sh(1).
  func shell(_ words: String...) -> String {
    ([path] + words + options).map(Self.shellWord).joined(separator: " ")
  }

  /// A word that sh(1) takes as it is.
  static func shellWord(_ word: String) -> String {
    if isPlain(word) { return word }
    return "'" + word.map { $0 == "'" ? "'\\''" : "\($0)" }.joined() + "'"
  }

  /// A command as systemd.service(5) wants it in ExecStart=. The program's own path has no way to say a quotation mark or
  /// backslash.
  func systemd(_ words: String...) throws(HookFailure) -> String {
    guard !path.contains(where: { "\"'\\".contains($0) }) else {
      throw .unwritable(path, reason: "systemd runs no program with a quotation mark or backslash in its path")
    }
    return (["\"\(Self.doubling("%", in: path))\""] + (words + options).map(Self.systemdWord)).joined(separator: " ")
  }

  private static func systemdWord(_ word: String) -> String {
    if isPlain(word) { return word }
    let escaped = word.map { "\"\\".contains($0) ? "\\\($0)" : "\($0)" }.joined()
    return "\"" + doubling("$", in: doubling("%", in: escaped)) + "\""
  }

  private static func doubling(_ sign: Character, in text: String) -> String {
    text.map { $0 == sign ? "\(sign)\(sign)" : "\($0)" }.joined()
  }

  /// Whether a word means itself to everybody.
  private static func isPlain(_ word: String) -> Bool {
    !word.isEmpty
      && word.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: "/._-+".utf8.contains(byte)
        }
      }
  }

  /// A command as a list of YAML, whose strings may be those of JSON.
  func yaml(_ words: String...) -> String {
    "[" + ([path] + words + options).map { JSON.string($0).text }.joined(separator: ", ") + "]"
  }
}
