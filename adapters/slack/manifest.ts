// The app as Slack must know it: made from the table of commands and the events that are heard, so that it cannot say
// less or more than what is there.
import { usageHint } from './commands.ts';

export const BOT_SCOPES = [
  'app_mentions:read',
  'channels:history',
  'channels:join',
  'channels:read',
  'chat:write',
  'chat:write.public',
  'commands',
  'files:read',
  'files:write',
  'groups:history',
  'groups:read',
  'im:history',
  'im:read',
  'im:write',
  'links:read',
  'links:write',
  'mpim:history',
  'reactions:read',
  'reactions:write',
  'team:read',
  'users:read',
  'users:read.email',
];

const EVENTS = [
  'app_home_opened',
  'app_mention',
  'app_uninstalled',
  'function_executed',
  'link_shared',
  'member_joined_channel',
  'member_left_channel',
  'message.channels',
  'message.groups',
  'message.im',
  'message.mpim',
  'reaction_added',
  'tokens_revoked',
  'user_change',
];

export function manifest(publicUrl: string, socketMode: boolean): Record<string, unknown> {
  const url = `${publicUrl.replace(/\/$/, '')}/slack/events`;
  const request = socketMode ? {} : { request_url: url };
  return {
    display_information: { name: 'Switchboard', description: 'Tickets without leaving the channel' },
    features: {
      app_home: { home_tab_enabled: true, messages_tab_enabled: true, messages_tab_read_only_enabled: false },
      bot_user: { display_name: 'Switchboard', always_online: true },
      slash_commands: [
        {
          command: '/ticket',
          description: 'File, follow and work on tickets',
          usage_hint: usageHint().slice(0, 1000),
          should_escape: true,
          ...(socketMode ? {} : { url }),
        },
      ],
      shortcuts: [
        {
          name: 'Create a ticket',
          type: 'message',
          callback_id: 'ticket_from_message',
          description: 'File this message as a ticket',
        },
        {
          name: 'Why is this (not) a ticket?',
          type: 'message',
          callback_id: 'ticket_why',
          description: 'Says why it was filed or not',
        },
        { name: 'New ticket', type: 'global', callback_id: 'ticket_new', description: 'Opens the form' },
      ],
      unfurl_domains: [new URL(publicUrl).hostname],
    },
    oauth_config: {
      redirect_urls: [`${publicUrl.replace(/\/$/, '')}/slack/oauth_redirect`],
      scopes: { bot: BOT_SCOPES },
    },
    settings: {
      event_subscriptions: { ...request, bot_events: EVENTS },
      interactivity: { is_enabled: true, ...request },
      org_deploy_enabled: false,
      socket_mode_enabled: socketMode,
      token_rotation_enabled: false,
      function_runtime: 'remote',
    },
    functions: {
      create_ticket: {
        title: 'Create a ticket',
        description: 'Files a ticket and hands on its key',
        input_parameters: {
          title: { type: 'string', title: 'Title', is_required: true },
          description: { type: 'string', title: 'Description', is_required: false },
          desk: { type: 'string', title: 'Desk (its key)', is_required: false },
          category: { type: 'string', title: 'Category', is_required: false },
          priority: { type: 'string', title: 'Priority', is_required: false },
          private: { type: 'boolean', title: 'Private', is_required: false },
          requester: { type: 'slack#/types/user_id', title: 'Requester', is_required: false },
        },
        output_parameters: {
          ticket_key: { type: 'string', title: 'Ticket', is_required: true },
          ticket_url: { type: 'string', title: 'Link', is_required: true },
        },
      },
    },
  };
}
