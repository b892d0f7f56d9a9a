/// What a program that has ended left.
public struct ProcessResult: Sendable, CustomStringConvertible {
  /// The exit status; 128 and the signal's number when a signal ended it.
  public let status: Int32
  public let output: [UInt8]
  public let errors: [UInt8]

  public init(status: Int32, output: [UInt8], errors: [UInt8]) {
    self.status = status
    self.output = output
    self.errors = errors
  }

  public var stdout: String { String(decoding: output, as: UTF8.self) }
  public var stderr: String { String(decoding: errors, as: UTF8.self) }

  /// For the messages of failed tests.
  public var description: String {
    "status \(status)\n--- stdout\n\(stdout.prefix(4000))\n--- stderr\n\(stderr.prefix(4000))"
  }
}

/// A program that could not be run, or did not end in time.
public struct ProcessFailure: Error, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description }
}
