// The limits of Block Kit, as Slack enforces them: what breaks one is answered with `invalid_blocks` and the reason.
import type { Json } from './fake-slack-state.ts';

const list = (value: unknown): Json[] => (Array.isArray(value) ? (value as Json[]) : []);

function textProblem(value: unknown, max: number, where: string, plainOnly = false): string | undefined {
  if (typeof value !== 'object' || value === null) return `${where}: missing text object`;
  const { type, text } = value as Json;
  if (type !== 'plain_text' && type !== 'mrkdwn') return `${where}: bad text type ${String(type)}`;
  if (plainOnly && type !== 'plain_text') return `${where}: must be plain_text`;
  if (typeof text !== 'string' || text.length < 1) return `${where}: text must be more than 0 characters`;
  if (text.length > max) return `${where}: text must be less than ${max + 1} characters`;
  return undefined;
}

function optionProblem(option: Json, where: string): string | undefined {
  if (typeof option.value !== 'string' || option.value.length < 1 || option.value.length > 150)
    return `${where}: option value`;
  if (option.description !== undefined) {
    const wrong = textProblem(option.description, 75, `${where} description`);
    if (wrong) return wrong;
  }
  return textProblem(option.text, 75, `${where} option`);
}

function elementProblem(element: Json, where: string, surface: string): string | undefined {
  const at = `${where}/${String(element.type)}:${String(element.action_id ?? '')}`;
  if (typeof element.action_id === 'string' && element.action_id.length > 255) return `${at}: action_id`;
  if (element.placeholder !== undefined) {
    const wrong = textProblem(element.placeholder, 150, `${at} placeholder`, true);
    if (wrong) return wrong;
  }
  switch (element.type) {
    case 'button':
      if (typeof element.value === 'string' && element.value.length > 2000) return `${at}: value`;
      if (typeof element.url === 'string' && element.url.length > 3000) return `${at}: url`;
      if (element.style !== undefined && element.style !== 'primary' && element.style !== 'danger')
        return `${at}: style`;
      return textProblem(element.text, 75, at, true);
    case 'static_select':
    case 'multi_static_select':
    case 'overflow':
    case 'radio_buttons':
    case 'checkboxes': {
      const most = element.type === 'overflow' ? 5 : element.type.endsWith('static_select') ? 100 : 10;
      const groups = list(element.option_groups);
      const options = groups.length ? groups.flatMap((group) => list(group.options)) : list(element.options);
      if (options.length < 1 || (!groups.length && options.length > most))
        return `${at}: ${options.length} options`;
      const values = new Set(options.map((option) => option.value));
      if (values.size !== options.length) return `${at}: two options with one value`;
      const initial = element.initial_option as Json | undefined;
      if (initial) {
        const same = options.find((option) => option.value === initial.value);
        if (JSON.stringify(same) !== JSON.stringify(initial)) return `${at}: initial_option is no option`;
      }
      for (const option of options) {
        const wrong = optionProblem(option, at);
        if (wrong) return wrong;
      }
      return undefined;
    }
    case 'plain_text_input': {
      const initial = element.initial_value;
      const most = typeof element.max_length === 'number' ? element.max_length : 3000;
      if (most > 3000) return `${at}: max_length`;
      if (typeof initial === 'string' && initial.length > most) return `${at}: initial_value too long`;
      return undefined;
    }
    case 'users_select':
    case 'multi_users_select':
    case 'conversations_select':
    case 'external_select':
    case 'datepicker':
    case 'number_input':
    case 'email_text_input':
    case 'url_text_input':
      return undefined;
    case 'file_input':
      return surface === 'modal' ? undefined : `${at}: only in modals`;
    case 'image':
      return typeof element.alt_text === 'string' ? undefined : `${at}: alt_text`;
    default:
      return `${at}: unsupported element`;
  }
}

function blockProblem(block: Json, index: number, surface: string): string | undefined {
  const where = `blocks[${index}]/${String(block.type)}`;
  switch (block.type) {
    case 'divider':
      return undefined;
    case 'header':
      return textProblem(block.text, 150, where, true);
    case 'section': {
      const fields = list(block.fields);
      if (!block.text && fields.length === 0) return `${where}: neither text nor fields`;
      if (fields.length > 10) return `${where}: no more than 10 fields`;
      for (const field of fields) {
        const wrong = textProblem(field, 2000, `${where} field`);
        if (wrong) return wrong;
      }
      const wrong = block.text ? textProblem(block.text, 3000, where) : undefined;
      return wrong ?? (block.accessory ? elementProblem(block.accessory as Json, where, surface) : undefined);
    }
    case 'context': {
      const elements = list(block.elements);
      if (elements.length < 1 || elements.length > 10) return `${where}: ${elements.length} elements`;
      for (const element of elements) {
        const wrong =
          element.type === 'image'
            ? elementProblem(element, where, surface)
            : textProblem(element, 3000, where);
        if (wrong) return wrong;
      }
      return undefined;
    }
    case 'actions': {
      const elements = list(block.elements);
      if (elements.length < 1 || elements.length > 25) return `${where}: ${elements.length} elements`;
      const ids = elements.map((element) => element.action_id).filter(Boolean);
      if (new Set(ids).size !== ids.length) return `${where}: action_id twice`;
      for (const element of elements) {
        const wrong = elementProblem(element, where, surface);
        if (wrong) return wrong;
      }
      return undefined;
    }
    case 'input': {
      const wrong =
        textProblem(block.label, 2000, `${where} label`, true) ??
        (block.hint ? textProblem(block.hint, 2000, `${where} hint`, true) : undefined);
      return wrong ?? elementProblem((block.element ?? {}) as Json, where, surface);
    }
    case 'image':
      return typeof block.alt_text === 'string' && block.alt_text.length <= 2000
        ? undefined
        : `${where}: alt_text`;
    case 'rich_text':
      return undefined;
    default:
      return `${where}: unsupported block`;
  }
}

/** The first thing Slack would refuse, or undefined. */
export function blocksProblem(value: unknown, surface: 'message' | 'modal' | 'home'): string | undefined {
  if (!Array.isArray(value)) return 'blocks must be an array';
  const most = surface === 'message' ? 50 : 100;
  if (value.length > most) return `no more than ${most} items allowed, ${value.length} given`;
  const ids = value.map((block: Json) => block.block_id).filter(Boolean);
  if (new Set(ids).size !== ids.length) return 'block_id twice';
  if (ids.some((id) => String(id).length > 255)) return 'block_id too long';
  let inputs = 0;
  for (const [index, block] of (value as Json[]).entries()) {
    const wrong = blockProblem(block, index, surface);
    if (wrong) return wrong;
    if (block.type === 'input') inputs += 1;
  }
  if (inputs > 0 && surface === 'message') return undefined;
  return undefined;
}

export function viewProblem(view: Json): string | undefined {
  const surface = view.type === 'home' ? 'home' : 'modal';
  if (view.type !== 'home' && view.type !== 'modal') return `view type ${String(view.type)}`;
  if (typeof view.private_metadata === 'string' && view.private_metadata.length > 3000)
    return 'private_metadata must be less than 3001 characters';
  if (surface === 'modal') {
    const wrong = textProblem(view.title, 24, 'title', true);
    if (wrong) return wrong;
    for (const part of ['submit', 'close']) {
      const wrongPart = view[part] === undefined ? undefined : textProblem(view[part], 24, part, true);
      if (wrongPart) return wrongPart;
    }
    if (list(view.blocks).some((block) => block.type === 'input') && !view.submit)
      return 'submit is required';
  }
  return blocksProblem(view.blocks, surface);
}

/** Every control sequence `<...>` that Slack would act on in a message: mentions, links, dates. */
export function controls(message: Json): string[] {
  const texts: string[] = [];
  const walk = (value: unknown): void => {
    if (Array.isArray(value)) {
      for (const one of value) walk(one);
      return;
    }
    if (typeof value !== 'object' || value === null) return;
    const one = value as Json;
    if (one.type === 'mrkdwn' && typeof one.text === 'string') texts.push(one.text);
    for (const part of Object.values(one)) walk(part);
  };
  if (typeof message.text === 'string') texts.push(message.text);
  walk(message.blocks);
  walk(message.attachments);
  return texts.flatMap((text) => text.match(/<[^>]*>/g) ?? []);
}

/** A person's value for one input, as Slack writes it into `view.state.values`. */
export function stateOf(element: Json, given: Json | string): Json {
  if (typeof given !== 'string') return { type: element.type, ...given };
  if (element.type === 'static_select' || element.type === 'radio_buttons') {
    const options = (element.options ?? []) as Json[];
    const chosen = options.find((option) => option.value === given);
    if (!chosen) throw new Error(`no option ${given} in ${JSON.stringify(options.map((one) => one.value))}`);
    return { type: element.type, selected_option: chosen };
  }
  if (element.type === 'users_select') return { type: element.type, selected_user: given };
  if (element.type === 'datepicker') return { type: element.type, selected_date: given };
  return { type: element.type, value: given };
}

export function initialState(element: Json): Json {
  const type = String(element.type);
  if (type === 'static_select' || type === 'radio_buttons')
    return { type, selected_option: element.initial_option ?? null };
  if (type === 'checkboxes') return { type, selected_options: element.initial_options ?? [] };
  if (type === 'users_select') return { type, selected_user: element.initial_user ?? null };
  if (type === 'datepicker') return { type, selected_date: element.initial_date ?? null };
  if (type === 'file_input') return { type, files: [] };
  return { type, value: element.initial_value ?? null };
}
