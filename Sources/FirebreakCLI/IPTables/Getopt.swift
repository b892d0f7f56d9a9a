internal import Firebreak

/// Reads the words of -restore and -save as getopt_long(3) does: letters together, long names cut short, options behind
/// arguments.
struct Getopt {
  struct Option {
    let letter: Character
    let name: String
    let value: Value

    enum Value {
      case none
      case required
      /// After `=`, or the next word where that is no option.
      case optional
    }
  }

  /// An option that was given, with its value.
  struct Use {
    let letter: Character
    let value: String?
  }

  private(set) var uses: [Use] = []
  private(set) var arguments: [String] = []
  /// The option that cannot be read.
  private(set) var unknown: String?

  init(_ words: ArraySlice<Token>, _ options: [Option]) {
    var rest = words.map(\.string)[...]
    while let word = rest.popFirst() {
      if word == "--" {
        arguments += rest
        return
      }
      let isRead =
        word.hasPrefix("--")
        ? readLong(word.dropFirst(2), &rest, options)
        : word.hasPrefix("-") && word != "-" ? readLetters(word.dropFirst(), &rest, options) : nil
      guard let isRead else {
        arguments.append(word)
        continue
      }
      guard isRead else {
        unknown = word
        return
      }
    }
  }

  private mutating func readLong(_ word: Substring, _ rest: inout ArraySlice<String>, _ options: [Option]) -> Bool {
    let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    let named = options.filter { $0.name == parts[0] }
    let begun = named.isEmpty ? options.filter { $0.name.hasPrefix(parts[0]) } : named
    guard begun.count == 1, let option = begun.first else { return false }
    return read(option, attached: parts.count > 1 ? String(parts[1]) : nil, &rest)
  }

  private mutating func readLetters(_ word: Substring, _ rest: inout ArraySlice<String>, _ options: [Option]) -> Bool {
    var letters = word
    while let letter = letters.popFirst() {
      guard let option = options.first(where: { $0.letter == letter }) else { return false }
      if case .required = option.value {
        let attached = letters.isEmpty ? nil : String(letters)
        return read(option, attached: attached, &rest)
      }
      guard read(option, attached: nil, &rest) else { return false }
    }
    return true
  }

  private mutating func read(_ option: Option, attached: String?, _ rest: inout ArraySlice<String>) -> Bool {
    switch option.value {
    case .none:
      guard attached == nil else { return false }
      uses.append(Use(letter: option.letter, value: nil))
    case .required:
      guard let value = attached ?? rest.popFirst() else { return false }
      uses.append(Use(letter: option.letter, value: value))
    case .optional:
      var value = attached
      if value == nil, let next = rest.first, !next.hasPrefix("-"), !next.hasPrefix("!") { value = rest.removeFirst() }
      uses.append(Use(letter: option.letter, value: value))
    }
    return true
  }
}
