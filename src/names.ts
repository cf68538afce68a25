// Names that people take for the same: letter case, spaces, dashes and underscores make no difference. Pure.
const plain = (name: string): string =>
  name
    .normalize('NFC')
    .toLowerCase()
    .replaceAll(/[\s_-]+/g, ' ')
    .trim();

export const isSameName = (one: string, other: string): boolean => plain(one) === plain(other);
