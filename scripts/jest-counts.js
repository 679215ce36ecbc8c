import { writeFileSync } from 'node:fs';

/** A jest reporter: writes 'N passed, N failed, N skipped' to the file that JEST_COUNTS names. */
export default class Counts {
  onRunComplete(_contexts, results) {
    // A test file that does not load has no failed test of its own, yet it has failed.
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    const skipped = results.numPendingTests + results.numTodoTests;
    const line = `${results.numPassedTests} passed, ${failed} failed, ${skipped} skipped\n`;
    writeFileSync(process.env.JEST_COUNTS, line);
  }
}
