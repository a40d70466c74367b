"""What is said of Slack accounts, channels and workspaces, in English and French."""

from __future__ import annotations

from typing import Final

WORKSPACES: Final[dict[str, tuple[str, str]]] = {
    "stranger": (
        (
            "Sorry, I do not know you: this Slack account is not linked to a Muster operator. If"
            " your e-mail address in Slack is an operator’s, that happens by itself now: try again"
            " in a minute. Else an administrator of Muster can do it: `/campaign link @you`."
        ),
        (
            "Désolé, je ne vous connais pas : ce compte Slack n’est lié à aucun opérateur Muster."
            " Si votre adresse e-mail dans Slack est celle d’un opérateur, cela se fait tout seul :"
            " réessayez dans une minute. Sinon, un administrateur de Muster peut le faire :"
            " `/campaign link @vous`."
        ),
    ),
    "channel_is": (
        "The messages of {campaign} go to {channel}.",
        "Les messages de {campaign} vont dans {channel}.",
    ),
    "channel_chosen": (
        (
            "The messages of {campaign} go to {channel} from now on; what stands elsewhere stays"
            " there. If I am not in it, invite me: until then they go to the default channel."
        ),
        (
            "Les messages de {campaign} iront désormais dans {channel} ; ceux déjà affichés"
            " restent où ils sont. Si je n’y suis pas, invitez-moi : sinon ils iront dans le canal"
            " par défaut."
        ),
    ),
    "channel_here": (
        ":round_pushpin: The messages of {campaign} come here from now on.",
        ":round_pushpin: Les messages de {campaign} arrivent désormais ici.",
    ),
    "channel_unknown": (
        "Name a channel as Slack offers it after `#`, or `default`, for {campaign}.",
        "Nommez un canal comme Slack le propose après `#`, ou `défaut`, pour {campaign}.",
    ),
    "channel_lost": (
        (
            "I cannot post in {channel} (it is archived or gone, or I am not in it). What was to"
            " be said there of {campaigns} is said here. Invite me there or choose another"
            " channel, then: `/campaign channel {first} #channel`."
        ),
        (
            "Je ne peux pas écrire dans {channel} (archivé, disparu, ou je n’y suis pas). Ce qui"
            " devait y être dit de {campaigns} est dit ici. Invitez-moi ou choisissez un autre"
            " canal, puis : `/campaign channel {first} #canal`."
        ),
    ),
    "install_done": (
        "Muster is installed in {team}. You may close this page.",
        "Muster est installé dans {team}. Vous pouvez fermer cette page.",
    ),
    "install_refused": (
        "Muster may not be installed in {team}: its administrator names the workspaces.",
        "Muster ne peut pas être installé dans {team} : son administrateur nomme les espaces.",
    ),
    "install_state": (
        "This installation was not begun in this browser, or too long ago: please begin again.",
        (
            "Cette installation n’a pas été commencée dans ce navigateur, ou l’a été il y a trop"
            " longtemps : veuillez recommencer."
        ),
    ),
    "install_denied": (
        "Slack says that the installation was not allowed.",
        "Slack indique que l’installation n’a pas été autorisée.",
    ),
    "install_failed": (
        "Slack did not complete the installation: please begin again.",
        "Slack n’a pas terminé l’installation : veuillez recommencer.",
    ),
    "link_title": ("Link to an operator", "Lier à un opérateur"),
    "link_intro": (
        "Who is linked does in Slack what their role in Muster allows.",
        "Un compte lié fait dans Slack ce que son rôle dans Muster permet.",
    ),
    "link_user": ("Slack account", "Compte Slack"),
    "link_operator": ("Operator", "Opérateur"),
    "link_it": ("Link", "Lier"),
    "link_asked": (
        "{user} is being linked to {operator}.",
        "{user} est en train d’être lié à {operator}.",
    ),
    "link_no_user": (
        "Name a Slack account as Slack offers it after `@`: `/campaign link @somebody`.",
        "Nommez un compte Slack comme Slack le propose après `@` : `/campaign link @quelqu’un`.",
    ),
    "link_no_operator": (
        "I know no operator called {operator}: give an e-mail address or the whole name.",
        "Je ne connais pas d’opérateur {operator} : donnez une adresse e-mail ou le nom entier.",
    ),
    "link_nobody": (
        "Choose the operator whose account it is.",
        "Choisissez l’opérateur dont c’est le compte.",
    ),
    "linked": (
        "Hello {name}: this Slack account is yours in Muster now. `/campaign help` says what I do.",
        (
            "Bonjour {name} : ce compte Slack est maintenant le vôtre dans Muster."
            " `/campaign help` dit ce que je sais faire."
        ),
    ),
    "linked_for": ("{user} is {name} in Muster now.", "{user} est maintenant {name} dans Muster."),
    "not_linked": (
        "{user} was *not linked*: {reason}",
        "{user} n’a *pas été lié* : {reason}",
    ),
}
