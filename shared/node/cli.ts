/** Exit codes of sysexits.h; a rejection is 1. */
const usageExitCode = 64
const unavailableExitCode = 69
export const configurationExitCode = 78

/** What was asked for makes no sense; the message says why. */
export class UsageError extends Error {}

/** What was asked for is well said, but cannot be done. */
export class CommandError extends Error {}

/** A server that the command needs does not answer; the message says which. */
export class UnavailableError extends Error {}

interface CommandOptions {
  usage?: string
  /** Errors of the work whose message says all that a person needs. */
  expectedErrors?: readonly ErrorClass[]
  /** The same, of what a variable or a file says. */
  misconfigurations?: readonly ErrorClass[]
}

type ErrorClass = new (...given: never[]) => Error

/**
 * Carries out what a person asked for on the command line, and ends with a sentence and an exit
 * code where that fails.
 */
export async function runCommand(
  work: () => Promise<void>,
  { usage = '', expectedErrors = [], misconfigurations = [] }: CommandOptions = {},
) {
  const fail = (message: string, exitCode: number) => {
    process.stderr.write(`${message}\n`)
    process.exitCode = exitCode
  }
  try {
    await work()
  } catch (error) {
    if (error instanceof UsageError) fail(`${error.message}\n\n${usage.trimEnd()}`, usageExitCode)
    else if ([CommandError, ...expectedErrors].some((Expected) => error instanceof Expected))
      fail((error as Error).message, 1)
    else if (misconfigurations.some((Misconfiguration) => error instanceof Misconfiguration))
      fail((error as Error).message, configurationExitCode)
    else if (error instanceof UnavailableError) fail(error.message, unavailableExitCode)
    else throw error
  }
}
