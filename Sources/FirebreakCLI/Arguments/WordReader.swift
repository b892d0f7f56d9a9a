internal import Firebreak

/// Words that make no sense; status 64.
struct UsageError: Error {
  let message: String
  let hint: String?

  init(_ message: String, hint: String? = nil) {
    self.message = message
    self.hint = hint
  }
}

/// Reads the words behind the name of a command.
struct WordReader {
  private let declarations: Declarations
  private var places: ArraySlice<Parameter>

  init(_ declarations: Declarations) {
    self.declarations = declarations
    places = declarations.positional[...]
  }

  /// - Returns: whether help is asked for in place of anything else.
  mutating func read(_ words: ArraySlice<String>) throws(UsageError) -> Bool {
    var words = words
    while let word = words.popFirst() {
      if word == "--" {
        while let next = words.popFirst() { try place(next) }
      } else if word.utf8.count < 2 || word.utf8.first != UInt8(ascii: "-") {
        try place(word)
        if places.first?.kind == .rest { while let next = words.popFirst() { try place(next) } }
      } else if word == "--help" || word == "-h" {
        return true
      } else if word.hasPrefix("--") {
        try readLong(word, &words)
      } else {
        if try readShort(word, &words) { return true }
      }
    }
    return false
  }

  /// - Throws: where something that has to be said has not been.
  func finish() throws(UsageError) {
    for parameter in declarations.parameters where parameter.isRequired && !parameter.isSaid {
      if parameter.isPositional { throw UsageError("<\(parameter.names[0])> is missing: \(parameter.help)") }
      throw UsageError("\(parameter.names[0]) <\(parameter.placeholder)> is missing: \(parameter.help)")
    }
  }

  // MARK: Words by their place

  private mutating func place(_ word: String) throws(UsageError) {
    guard let parameter = places.first else {
      throw UsageError("'\(word)' is one word too many", hint: "a name that begins with - goes behind --")
    }
    try give(word, to: parameter, as: "<\(parameter.names[0])>")
    if parameter.kind == .argument { places.removeFirst() }
  }

  // MARK: Options

  private func readLong(_ word: String, _ words: inout ArraySlice<String>) throws(UsageError) {
    guard let equals = word.firstIndex(of: "=") else { return try read(word, nil, &words) }
    try read(String(word[..<equals]), String(word[word.index(after: equals)...]), &words)
  }

  /// `-n`, `-nq`, `-w5`
  /// - Returns: whether help is asked for.
  private func readShort(_ word: String, _ words: inout ArraySlice<String>) throws(UsageError) -> Bool {
    var letters = word.dropFirst()
    while let letter = letters.popFirst() {
      let name = "-\(letter)"
      if name == "-h" { return true }
      guard let parameter = declarations.named(name) else { throw unknown(name, in: word) }
      guard parameter.wantsValue, !letters.isEmpty else {
        try read(name, nil, &words)
        continue
      }
      try read(name, String(letters.first == "=" ? letters.dropFirst() : letters), &words)
      break
    }
    return false
  }

  private func read(_ name: String, _ value: String?, _ words: inout ArraySlice<String>) throws(UsageError) {
    guard let parameter = declarations.named(name) else { throw unknown(name, in: name) }
    if let value {
      guard parameter.wantsValue else { throw UsageError("\(name) takes no value") }
      return try give(value, to: parameter, as: name)
    }
    switch parameter.kind {
    case .option:
      guard let next = words.first, !isName(next) else {
        throw UsageError(
          "\(name) needs a value: \(name) <\(parameter.placeholder)>",
          hint: words.first.map { "if '\($0)' is the value, write \(name)=\($0)" })
      }
      words.removeFirst()
      try give(next, to: parameter, as: name)
    case .optionMaybeAlone:
      if let next = words.first, parameter.couldTake(next) {
        words.removeFirst()
        try give(next, to: parameter, as: name)
      } else {
        _ = try parameter.take(nil, as: name)
      }
    default: _ = try parameter.take(nil, as: name)
    }
  }

  /// Whether a word is an option of the command, and so hardly the value of the one before.
  private func isName(_ word: String) -> Bool {
    guard word.utf8.count > 1, word.utf8.first == UInt8(ascii: "-") else { return false }
    return word == "--" || declarations.named(word.split(separator: "=").first.map(String.init) ?? word) != nil
  }

  private func give(_ word: String, to parameter: Parameter, as name: String) throws(UsageError) {
    guard try !parameter.take(word, as: name) else { return }
    throw UsageError(
      "\(name): '\(word)' is no \(parameter.values.isEmpty ? parameter.placeholder : "such value")",
      hint: suggestion(for: word, among: parameter.values))
  }

  private func unknown(_ name: String, in word: String) -> UsageError {
    let other = name == word ? "" : " in '\(word)'"
    let names = declarations.names + ["--help"]
    let hint = name.hasPrefix("--") ? suggestion(for: name, among: names) : nil
    return UsageError("there is no option '\(name)'\(other)", hint: hint)
  }
}
