// What libFuzzer calls; scripts/fuzz builds it. With FIREBREAK_FUZZ_GO_ON set a finding is told and does not end the run.
import Fuzzing
import Glibc

nonisolated(unsafe) private var target = FuzzTarget.text
nonisolated(unsafe) private var mutator = Mutator(.text)

@_silgen_name("LLVMFuzzerMutate")
private func fuzzerMutate(_ data: UnsafeMutablePointer<UInt8>, _ size: Int, _ limit: Int) -> Int

/// Takes the target, and writes its seeds where they are asked for.
@_cdecl("LLVMFuzzerInitialize")
public func initialize(_ count: UnsafeMutableRawPointer, _ words: UnsafeMutableRawPointer) -> CInt {
  guard let name = getenv("FIREBREAK_FUZZ_TARGET"), let chosen = FuzzTarget(rawValue: String(cString: name)) else {
    fatalError("FIREBREAK_FUZZ_TARGET names no target")
  }
  target = chosen
  mutator = Mutator(chosen)
  if let folder = getenv("FIREBREAK_FUZZ_SEEDS") {
    for (number, seed) in Seeds.of(chosen).enumerated() {
      guard let file = fopen("\(String(cString: folder))/\(number)", "w") else { continue }
      fwrite(seed, 1, seed.count, file)
      fclose(file)
    }
  }
  return 0
}

@_cdecl("LLVMFuzzerTestOneInput")
public func test(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  do {
    try target.run(Array(UnsafeBufferPointer(start: data, count: size)))
  } catch {
    print("FINDING: \(error)")
    fflush(nil)
    if getenv("FIREBREAK_FUZZ_GO_ON") == nil { abort() }
  }
  return 0
}

/// Mostly our own changes, which know what the bytes mean; now and then libFuzzer's.
@_cdecl("LLVMFuzzerCustomMutator")
public func mutate(_ data: UnsafeMutablePointer<UInt8>, _ size: Int, _ limit: Int, _ seed: CUnsignedInt) -> Int {
  if seed % 4 == 0 { return fuzzerMutate(data, size, limit) }
  var dice = Dice(seed: UInt64(seed))
  let input = Array(UnsafeBufferPointer(start: data, count: size))
  let output = mutator.mutated(input, &dice).prefix(limit)
  for (place, byte) in output.enumerated() { data[place] = byte }
  return output.count
}
