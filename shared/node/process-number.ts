/** The variable by which a supervisor tells its processes their number and how many they are. */
export const processVariable = 'GATEHOUSE_PROCESS'

const [number, count] = (process.env[processVariable] ?? '').split('/').map(Number)

/** This process among several that serve one port, from 1; undefined where it serves alone. */
export const processNumber = number && count ? { number, count } : undefined
