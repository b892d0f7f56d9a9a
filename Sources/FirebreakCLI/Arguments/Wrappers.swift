/// An option with a value: `--name VALUE`, `--name=VALUE`, `-n VALUE`, `-nVALUE`.
@propertyWrapper struct Option<Value> {
  private let slot: Slot<Value>
  var wrappedValue: Value { slot.value }

  /// - Parameters:
  ///   - names: with their dashes, the one to be shown first.
  ///   - placeholder: what stands for the value in the help; the words that it can be if left out, where there are any.
  init(wrappedValue: Value, _ names: String..., help: String = "", placeholder: String? = nil)
  where Value: ArgumentValue {
    slot = Slot(
      .option, names, help, placeholder: Self.placeholder(placeholder, Value.self, names), values: Value.allArguments,
      unsaid: wrappedValue, shownDefault: wrappedValue.shownAsDefault, read: readingOne)
  }

  /// Without a default it has to be said.
  init(_ names: String..., help: String = "", placeholder: String? = nil) where Value: ArgumentValue {
    slot = Slot(
      .option, names, help, placeholder: Self.placeholder(placeholder, Value.self, names), isRequired: true,
      values: Value.allArguments, unsaid: nil, read: readingOne)
  }

  init<V: ArgumentValue>(_ names: String..., help: String = "", placeholder: String? = nil) where Value == V? {
    slot = Slot(
      .option, names, help, placeholder: Self.placeholder(placeholder, V.self, names), values: V.allArguments,
      unsaid: .some(nil), read: readingOne)
  }

  /// - Parameter alone: the value where none follows. What follows is one only if it begins with a digit.
  init<V: ArgumentValue>(_ names: String..., alone: V, help: String = "", placeholder: String? = nil)
  where Value == V? {
    slot = Slot(
      .optionMaybeAlone, names, help, placeholder: Self.placeholder(placeholder, V.self, names),
      values: V.allArguments, unsaid: .some(nil)
    ) { (word, _, _) throws(UsageError) in
      guard let word else { return .some(alone) }
      return V(argument: word).map { .some($0) }
    }
  }

  /// May be given several times.
  init<V: ArgumentValue>(_ names: String..., help: String = "", placeholder: String? = nil) where Value == [V] {
    slot = Slot(
      .option, names, help, placeholder: Self.placeholder(placeholder, V.self, names), values: V.allArguments,
      unsaid: [], read: readingMore)
  }

  private static func placeholder<V: ArgumentValue>(_ text: String?, _: V.Type, _ names: [String]) -> String {
    if let text { return text }
    let values = V.allArguments
    return values.isEmpty ? String(names[0].drop { $0 == "-" }) : values.joined(separator: "|")
  }
}

/// An option without a value.
@propertyWrapper struct Flag<Value> {
  private let slot: Slot<Value>
  var wrappedValue: Value { slot.value }

  init(wrappedValue: Bool, _ names: String..., help: String) where Value == Bool {
    slot = Slot(.flag, names, help, unsaid: wrappedValue) { (_, _, _) throws(UsageError) in !wrappedValue }
  }

  /// `--name` and `--no-name`; nil where neither is said.
  init(orNot name: String, help: String) where Value == Bool? {
    let opposite = "--no-" + name.dropFirst(2)
    slot = Slot(.flag, [name, opposite], help, unsaid: .some(nil)) { (_, said, current) throws(UsageError) in
      let value = said == name
      if let current, current != value { throw UsageError("\(name) and \(opposite) exclude each other") }
      return .some(value)
    }
  }
}

/// A word by its place, or all that are left.
@propertyWrapper struct Argument<Value> {
  private let slot: Slot<Value>
  var wrappedValue: Value { slot.value }

  init(_ name: String, help: String = "") where Value: ArgumentValue {
    slot = Slot(
      .argument, [name], help, placeholder: name, isRequired: true, values: Value.allArguments, unsaid: nil,
      read: readingOne)
  }

  init<V: ArgumentValue>(_ name: String, help: String = "") where Value == V? {
    slot = Slot(
      .argument, [name], help, placeholder: name, values: V.allArguments, unsaid: .some(nil), read: readingOne)
  }

  /// One or more.
  init(several name: String, help: String = "", discussion: String = "") where Value == [String] {
    slot = Slot(
      .arguments, [name], help, discussion: discussion, placeholder: name, isRequired: true, unsaid: nil,
      read: readingMore)
  }

  /// Everything from the first word on that is no option of the command, or from behind `--`: options in it are not the
  /// command's.
  init(rest name: String, help: String = "") where Value == [String] {
    slot = Slot(.rest, [name], help, placeholder: name, unsaid: [], read: readingMore)
  }
}

/// The options of a ``ParameterGroup`` among those of a command.
@propertyWrapper struct OptionGroup<Group: ParameterGroup> {
  let wrappedValue: Group

  /// - Parameter title: under which the help has them; with the command's own if left out.
  init(title: String? = nil) { wrappedValue = Declarations.group(title) }
}

// MARK: Reading words

private func readingOne<V: ArgumentValue>(_ word: String?, _: String, _: V?) throws(UsageError) -> V? {
  word.flatMap { V(argument: $0) }
}

private func readingOne<V: ArgumentValue>(_ word: String?, _: String, _: V??) throws(UsageError) -> V?? {
  word.flatMap { V(argument: $0) }.map { .some($0) }
}

private func readingMore<V: ArgumentValue>(_ word: String?, _: String, _ earlier: [V]?) throws(UsageError) -> [V]? {
  word.flatMap { V(argument: $0) }.map { (earlier ?? []) + [$0] }
}
