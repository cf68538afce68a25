// A list of names as it reads best: in one line, or in a few.

export const words = (list: string): string[] => list.trim().split(/\s+/);
