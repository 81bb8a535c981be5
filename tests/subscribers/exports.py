"""Exports of other list managers, as these programs write them, with invented people."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """An export as its program writes it: a header, and lines with the state of each."""

    name: str
    header: str
    lines: dict[str, str]  # each line, with the state that is expected of it
    file_name: str = ""

    @property
    def text(self) -> str:
        return "\n".join([self.header, *self.lines, ""])


MAILCHIMP = (
    "Email Address,First Name,Last Name,Address,MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,CONFIRM_IP,"
    "LATITUDE,LONGITUDE,GMTOFF,DSTOFF,TIMEZONE,CC,REGION,LAST_CHANGED"
)
WHO = 'Anna,Berg,"1 Quay\nHarbour",2,2023-05-01 10:00:00,192.0.2.7,2023-05-01 10:05:00,192.0.2.8'
WHERE = "53.5,10.0,1,2,Europe/Berlin,DE,HH,2024-01-01 00:00:00"
GHOST = (
    "id,email,name,note,subscribed_to_emails,complimentary_plan,stripe_customer_id,created_at,deleted_at,"
    "labels,tiers"
)
SAMPLES = (
    Sample(
        name="Mailchimp, subscribed",
        header=f"{MAILCHIMP},LEID,EUID,NOTES,TAGS",
        lines={f'a@example.org,{WHO},{WHERE},1,abc,,"""Sport"",""City"""': "active"},
    ),
    Sample(
        name="Mailchimp, unsubscribed",
        header=(
            f"{MAILCHIMP},UNSUB_TIME,UNSUB_CAMPAIGN_TITLE,UNSUB_CAMPAIGN_ID,UNSUB_REASON,UNSUB_REASON_OTHER,"
            "LEID,EUID,NOTES,TAGS"
        ),
        lines={
            f"a@example.org,{WHO},{WHERE},2024-02-01 00:00:00,May,x1,Not interested,,1,abc,,": "unsubscribed",
            f"b@example.org,{WHO},{WHERE},,,,,,1,abc,,": "unsubscribed",
            f"c@example.org,{WHO},{WHERE},2024-02-01 00:00:00,May,x1,Abuse complaint,,1,abc,,": "complained",
        },
    ),
    Sample(
        name="Mailchimp, cleaned",
        header=f"{MAILCHIMP},CLEAN_TIME,CLEAN_CAMPAIGN_TITLE,CLEAN_CAMPAIGN_ID,LEID,EUID,NOTES,TAGS",
        lines={f"a@example.org,{WHO},{WHERE},2024-02-01 00:00:00,May,x1,1,abc,,": "bounced"},
    ),
    Sample(
        name="Mailchimp, several files in one",
        header=f"{MAILCHIMP},UNSUB_TIME,UNSUB_REASON,CLEAN_TIME,LEID",
        lines={
            f"a@example.org,{WHO},{WHERE},,,,1": "active",
            f"b@example.org,{WHO},{WHERE},2024-02-01 00:00:00,,,1": "unsubscribed",
            f"c@example.org,{WHO},{WHERE},,,2024-02-01 00:00:00,1": "bounced",
        },
    ),
    Sample(
        name="Mailchimp, not subscribed",
        header=f"{MAILCHIMP},LEID,EUID,NOTES,TAGS",
        lines={f"a@example.org,{WHO},{WHERE},1,abc,,": "unconfirmed"},
        file_name="Nonsubscribed_email_audience_export_1.csv",
    ),
    Sample(
        name="listmonk",
        header="uuid,email,name,attributes,status,created_at,updated_at",
        lines={
            '1-2,a@example.org,Anna,"{""a"": ""b, c""}",enabled,2023-05-01T10:05:00Z,2024-01-01': "active",
            "1-3,b@example.org,Ben,{},disabled,2023-05-01T10:05:00Z,2024-01-01": "unsubscribed",
            "1-4,c@example.org,Cem,{},blocklisted,2023-05-01T10:05:00Z,2024-01-01": "unsubscribed",
            "1-5,d@example.org,Dana,{},,2023-05-01T10:05:00Z,2024-01-01": "fault",
            "1-6,e@example.org,Eve,{},paused,2023-05-01T10:05:00Z,2024-01-01": "fault",
        },
    ),
    Sample(
        name="listmonk, subscriptions",
        header="uuid,email,name,status,list,subscription_status,created_at",
        lines={
            "1,a@example.org,Anna,enabled,News,confirmed,2023-05-01T10:05:00Z": "active",
            "2,b@example.org,Ben,enabled,News,unconfirmed,2023-05-01T10:05:00Z": "unconfirmed",
            "3,c@example.org,Cem,enabled,News,unsubscribed,2023-05-01T10:05:00Z": "unsubscribed",
            "4,d@example.org,Dana,blocklisted,News,confirmed,2023-05-01T10:05:00Z": "unsubscribed",
        },
    ),
    Sample(
        name="Ghost",
        header=GHOST,
        lines={
            "1,a@example.org,Anna,,true,false,,2023-05-01T10:05:00.000Z,,Sport,": "active",
            "2,b@example.org,Ben,,false,false,,2023-05-01T10:05:00.000Z,,,": "unsubscribed",
            "3,c@example.org,Cem,,true,false,,2023-05-01T10:05:00.000Z,2024-01-01,,": "unsubscribed",
            "4,d@example.org,Dana,,,false,,2023-05-01T10:05:00.000Z,,,": "fault",
        },
    ),
    Sample(
        name="Substack",
        header="email,active_subscription,expiry,plan,email_disabled,created_at,first_payment_at",
        lines={
            "a@example.org,false,,other,false,2023-05-01T10:05:00.000Z,": "active",
            "b@example.org,true,2027-01-01,yearly,true,2023-05-01T10:05:00.000Z,": "unsubscribed",
        },
    ),
    Sample(
        name="Substack, all columns",
        header=(
            "Email,Name,Stripe plan,Cancel date,Start date,Paid upgrade date,Bestseller,"
            "Emails received (6mo),Emails dropped (6mo),num_emails_opened,Days active (30d),Activity,"
            "Country,State/Province,Type"
        ),
        lines={
            "a@example.org,Anna,,,2023-05-01T10:05:00.000Z,,,9,0,3,4,5,DE,,Free": "active",
            "b@example.org,Ben,,2024-01-01T00:00:00.000Z,2023-05-01T10:05:00.000Z,,,9,0,3,4,5,DE,,Free": (
                "unsubscribed"
            ),
        },
    ),
    Sample(
        name="Buttondown",
        header="id,email_address,type,creation_date,tags,notes,metadata,source,unsubscription_date",
        lines={
            'x1,a@example.org,regular,2023-05-01T10:05:00Z,"[""a"", ""b""]",,{},api,2022-01-01': "active",
            "x2,b@example.org,past_due,2023-05-01T10:05:00Z,,,{},api,": "active",
            "x3,c@example.org,unactivated,2023-05-01T10:05:00Z,,,{},api,": "unconfirmed",
            "x4,d@example.org,unsubscribed,2023-05-01T10:05:00Z,,,{},api,": "unsubscribed",
            "x5,e@example.org,complained,2023-05-01T10:05:00Z,,,{},api,": "complained",
            "x6,f@example.org,undeliverable,2023-05-01T10:05:00Z,,,{},api,": "bounced",
            "x7,g@example.org,upcoming,2023-05-01T10:05:00Z,,,{},api,": "fault",
        },
    ),
    Sample(
        name="MailPoet",
        header="Email,First name,Last name,List,List status,Global status,Subscribed on,Subscribed IP",
        lines={
            "a@example.org,Anna,Berg,News,subscribed,subscribed,2023-05-01 10:05:00,192.0.2.8": "active",
            "b@example.org,Ben,Berg,News,unsubscribed,subscribed,2023-05-01 10:05:00,": "unsubscribed",
            "c@example.org,Cem,Berg,News,subscribed,unsubscribed,2023-05-01 10:05:00,": "unsubscribed",
            "d@example.org,Dana,Berg,News,subscribed,bounced,2023-05-01 10:05:00,": "bounced",
            "e@example.org,Eve,Berg,News,unconfirmed,unconfirmed,2023-05-01 10:05:00,": "unconfirmed",
            "f@example.org,Fay,Berg,News,subscribed,inactive,2023-05-01 10:05:00,": "unsubscribed",
            "g@example.org,Gus,Berg,,,subscribed,2023-05-01 10:05:00,": "fault",
        },
    ),
    Sample(
        name="Mailtrain",
        header="EMAIL,FIRST_NAME,LAST_NAME,STATUS,CREATED",
        lines={
            "a@example.org,Anna,Berg,1,2023-05-01T10:05:00.000Z": "active",
            "b@example.org,Ben,Berg,2,2023-05-01T10:05:00.000Z": "unsubscribed",
            "c@example.org,Cem,Berg,3,2023-05-01T10:05:00.000Z": "bounced",
            "d@example.org,Dana,Berg,4,2023-05-01T10:05:00.000Z": "complained",
            "e@example.org,Eve,Berg,5,2023-05-01T10:05:00.000Z": "fault",
        },
    ),
    Sample(
        name="Mailman",
        header="address,name,mod,hide,nomail,ack,digest,plain,language",
        lines={
            "a@example.org,Anna,off,off,off,on,on,off,en": "active",
            "b@example.org,Ben,off,off,[U],on,on,off,en": "unsubscribed",
            "c@example.org,Cem,off,off,[B],on,on,off,en": "bounced",
            "d@example.org,Dana,off,off,on,on,on,off,en": "unsubscribed",
        },
    ),
    Sample(
        name="Mailman",
        header="Email,Name,Delivery status,enabled",
        lines={
            "a@example.org,Anna,enabled,true": "active",
            "b@example.org,Ben,by_user,true": "unsubscribed",
            "c@example.org,Cem,by_bounces,true": "bounced",
            "d@example.org,Dana,enabled,false": "unsubscribed",
        },
    ),
)
