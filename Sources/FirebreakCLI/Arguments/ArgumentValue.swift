/// What a word can be read as.
protocol ArgumentValue {
  /// nil for a word that is no such value.
  init?(argument: String)
  /// All words that there are, where they can be listed.
  static var allArguments: [String] { get }
  /// How a default is shown in the help; nil where it is not.
  var shownAsDefault: String? { get }
}

extension ArgumentValue {
  static var allArguments: [String] { [] }
  var shownAsDefault: String? { nil }
}

extension ArgumentValue where Self: RawRepresentable, RawValue == String {
  init?(argument: String) { self.init(rawValue: argument) }
  var shownAsDefault: String? { rawValue }
}

extension ArgumentValue where Self: CaseIterable & RawRepresentable, RawValue == String {
  static var allArguments: [String] { allCases.map(\.rawValue) }
}

extension String: ArgumentValue {
  init?(argument: String) { self = argument }
  var shownAsDefault: String? { isEmpty ? nil : self }
}

extension Int: ArgumentValue {
  init?(argument: String) { self.init(argument) }
  var shownAsDefault: String? { "\(self)" }
}

extension Int32: ArgumentValue {
  init?(argument: String) { self.init(argument) }
}
