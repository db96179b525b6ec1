/** Exit codes of sysexits.h; a failed command exits with 1. */
const usageExitCode = 64
const unavailableExitCode = 69
export const configurationExitCode = 78

/** Invalid usage; the message says why. */
export class UsageError extends Error {}

/** A valid command that cannot be carried out. */
export class CommandError extends Error {}

/** A required server is unavailable; the message says which. */
export class UnavailableError extends Error {}

interface CommandOptions {
  usage?: string
  /** Errors that are reported by their message alone. */
  expectedErrors?: readonly ErrorClass[]
  /** The same, for variables and files. */
  misconfigurations?: readonly ErrorClass[]
}

type ErrorClass = new (...given: never[]) => Error

/**
 * Runs a command-line program; a failure prints one sentence and sets the exit code.
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
