"""The names of the demo people, and the sentences that their posts are made of."""

# Parts of posts in one language; `{topic}` stands for one of the topics.
Texts = dict[str, list[str]]


def split_list(text: str) -> list[str]:
    """Return the items of a comma-separated list."""
    return [item.strip() for item in text.split(",")]


ENGLISH_NAMES = split_list("""
José García, Fiona O'Neil, Amelia Carter, Oliver Bennett, Priya Sharma, Zoë Baker, Chloë Martin, François Dubois,
Hannah Schmidt, Jürgen Vogel, Sofía Hernández, Liam Doherty, Aoife O'Brien, Noah Williams, Grace Okafor, Chidi Eze,
Maya Cohen, Daniel Levi, Yuki Tanaka, Haruto Sato, Mei Lin, Wei Zhang, Nguyen Thi Lan, Tran Minh, Fatima Zahra,
Omar Farouk, Leila Haddad, Anna Kowalska, Piotr Nowak, Petra Dvořáková, Jiří Novák, Ingrid Larsen, Björn Eriksson,
Åsa Lindqvist, Matti Virtanen, Elif Demir, Mehmet Kaya, Giulia Romano, Luca Bianchi, André Silva, Beatriz Gonçalves,
João Pereira, Camila Rojas, Mateo Fernández, Valentina Núñez, Emily Turner, Jack Hartley, Sophie Clarke,
Thomas Wright, Charlotte Evans, Harry Thompson, Isla MacDonald, Callum Stewart, Rhys Morgan, Megan Davies,
Siobhán Kelly, Patrick Murphy, Ethan Brooks, Olivia Reed, Mason Cooper, Ava Richardson, Logan Price, Harper Sullivan,
Abigail Foster, Benjamin Hughes, Ella Simmons, Samuel Grant, Lucy Armstrong, Henry Walsh, Victoria Chapman,
George Palmer, Eleanor Fisher, Arthur Mills, Margaret Holt, Edward Nash, Dorothy Ellis, Walter Pratt, Rosa Delgado,
Miguel Torres, Inés Álvarez, Pablo Ortega, Anne-Marie Leroy, Jean-Luc Moreau, Claire Fontaine, Théo Girard,
Katharina Weber, Lukas Braun, Nina Petrova, Ivan Dimitrov, Ana Horvat, Marko Jurić, Eleni Papadaki, Nikos Georgiou,
Kwame Mensah, Abena Owusu, Thandiwe Dlamini, Sipho Ndlovu, Aisha Bello, Tunde Adeyemi, Rohan Mehta
""")

# Each name is followed by the part of the person's email before the @.
KOREAN_NAMES = split_list("""
김철수 chulsoo.kim, 김민준 minjun.kim, 이서연 seoyeon.lee, 박지훈 jihoon.park, 최수아 sua.choi,
정하은 haeun.jung, 강도윤 doyun.kang, 조예준 yejun.cho, 윤지우 jiwoo.yoon, 장서준 seojun.jang,
임채원 chaewon.lim, 한지율 jiyul.han, 오승현 seunghyun.oh, 서유진 yujin.seo, 신동혁 donghyuk.shin,
권나연 nayeon.kwon, 황인호 inho.hwang, 안소담 sodam.ahn, 송민재 minjae.song, 전다은 daeun.jeon,
홍길동 gildong.hong, 유재현 jaehyun.yoo, 고은비 eunbi.ko, 문태윤 taeyoon.moon, 양혜진 hyejin.yang,
손지호 jiho.son, 배수빈 subin.bae, 백현우 hyunwoo.baek, 허윤서 yunseo.heo, 남궁민석 minseok.namgung,
심가영 gayoung.shim, 노준영 junyoung.noh, 하정민 jungmin.ha, 곽미경 mikyung.kwak, 성시윤 siyoon.sung,
차은주 eunju.cha, 주영호 youngho.joo, 우상빈 sangbin.woo, 구본아 bona.koo, 나경희 kyunghee.na,
민서영 seoyoung.min, 진하늘 haneul.jin, 지성민 sungmin.ji, 엄태호 taeho.eom, 원지수 jisoo.won,
천유나 yuna.cheon, 방준호 junho.bang, 공다영 dayoung.gong, 김영희 younghee.kim, 김도현 dohyun.kim,
김서윤 seoyun.kim, 김순자 soonja.kim, 김하린 harin.kim, 김태린 taerin.kim, 김보라 bora.kim,
김정숙 jungsook.kim, 이준서 junseo.lee, 이하준 hajun.lee, 이지언 jieon.lee, 이상민 sangmin.lee,
이영자 youngja.lee, 이현정 hyunjung.lee, 이동률 dongryul.lee, 이가은 gaeun.lee, 박서현 seohyun.park,
박은영 eunyoung.park, 박성호 sungho.park, 박민지 minji.park, 박준혁 junhyuk.park, 박미숙 misook.park,
최현석 hyunseok.choi, 최유리 yuri.choi, 최병철 byungchul.choi, 최지안 jian.choi, 정우진 woojin.jung,
정미영 miyoung.jung, 정해솔 haesol.jung, 정다빈 dabin.jung, 강민경 minkyung.kang, 강현수 hyunsoo.kang,
강지원 jiwon.kang, 조성훈 sunghoon.cho, 조아름 areum.cho, 조은서 eunseo.cho, 윤상호 sangho.yoon,
윤채영 chaeyoung.yoon, 장미솔 misol.jang, 장동하 dongha.jang, 임지현 jihyun.lim, 임재하 jaeha.lim,
한소영 soyoung.han, 한승재 seungjae.han, 오세빈 sebin.oh, 오나영 nayoung.oh, 서민호 minho.seo,
서정아 junga.seo, 선우진아 jina.sunwoo, 황보라미 rami.hwangbo, 신예담 yedam.shin, 권혁재 hyukjae.kwon
""")

ENGLISH: Texts = {
    "topics": split_list("""
        the autumn newsletter, the summer picnic, the new meeting room, the volunteer rota, the website,
        the annual report, the reading evening, the budget for next year, the first-aid course, the welcome pack,
        the garden project, the spring concert, the car-sharing list, the tool shed, the Friday breakfast,
        the photo archive, the coffee machine, the language exchange, the board games night, the mentoring scheme,
        the bicycle stands, the open day, the lost property box, the winter timetable
    """),
    "titles": [
        "Notes on {topic}",
        "What is new with {topic}",
        "A question about {topic}",
        "Thank you to everyone who helped with {topic}",
        "Who would like to help with {topic}?",
        "Three ideas for {topic}",
        "Looking back at {topic}",
        "Where we stand with {topic}",
        "Next steps for {topic}",
        "What I learned from {topic}",
        "A small change to {topic}",
        "{topic}: please read by Friday",
        "Minutes of the meeting on {topic}",
        "Your thoughts on {topic}, please",
    ],
    "openings": [
        "We sat down yesterday to talk about {topic}, and it went better than I had expected.",
        "Several people have asked me about {topic}, so here is where things are.",
        "It took a while, but {topic} is taking shape.",
        "I have spent some time on {topic} this week and would like to share what came out of it.",
        "Last year we found that {topic} needed more care than we gave it.",
        "Here is a short summary for everyone who could not come when we discussed {topic}.",
        "I am fairly new here, and {topic} was the first thing that I was asked to look after.",
        "After a few quiet weeks there is news about {topic}.",
    ],
    "middles": [
        "Most of the work is done; what is missing is somebody who checks the dates.",
        "The costs stay within what we agreed in spring.",
        "Two suggestions came up, and I would be glad to hear which one you prefer.",
        "The list hangs next to the front desk, and there is a copy in the shared folder.",
        "We tried it out with a small group first, and nobody wanted to go back to the old way.",
        "The only open point is the room: ours is too small for more than thirty people.",
        "Thanks to the people from the second floor, who stayed late to set everything up.",
        "It turned out that a simple checklist was enough.",
        "I wrote down the steps, so that the next person does not have to start from nothing.",
        "If it rains we will move inside, and nothing else changes.",
        "Some of the figures were from two years ago; they are up to date now.",
        "We will try this for three months and then decide together whether to keep it.",
    ],
    "closings": [
        "Please write to me by Friday if you would like to join.",
        "Comments are welcome, also the critical ones.",
        "I will post an update at the end of the month.",
        "Come by my desk if anything is unclear.",
        "See you there!",
        "Thank you all for your patience.",
        "If you know somebody who should read this, please pass it on.",
        "The next meeting is on the first Tuesday of the month, at four.",
    ],
}

KOREAN: Texts = {
    "topics": split_list("""
        가을 소식지, 여름 야유회, 새 회의실, 자원봉사 당번표, 홈페이지, 연간 보고서, 독서 모임, 내년 예산,
        응급처치 교육, 신입 안내 책자, 텃밭 가꾸기, 봄 음악회, 카풀 명단, 공구 보관함, 금요일 아침 식사, 사진 자료실,
        커피 머신, 언어 교환 모임, 보드게임의 밤, 멘토링 프로그램, 자전거 거치대, 공개 행사, 분실물 보관함, 겨울 시간표
    """),
    "titles": [
        "{topic} 진행 상황 공유",
        "{topic} 관련 질문이 있습니다",
        "{topic} 도와주신 분들께 감사드립니다",
        "{topic} 함께하실 분을 찾습니다",
        "{topic} 아이디어 세 가지",
        "{topic} 돌아보기",
        "{topic} 다음 일정 안내",
        "{topic} 회의 메모",
        "{topic} 준비하면서 배운 점",
        "{topic} 변경 사항 안내",
        "{topic} 의견을 들려주세요",
        "[공지] {topic} 금요일까지 확인 부탁드립니다",
        "{topic} 새 소식",
        "{topic} 지금까지의 경과",
    ],
    "openings": [
        "어제 모여서 {topic} 이야기를 나누었는데 생각보다 잘 정리되었습니다.",
        "{topic} 상황을 묻는 분들이 많아 이렇게 정리해서 올립니다.",
        "시간이 조금 걸렸지만 {topic} 준비가 이제 모양을 갖추고 있습니다.",
        "이번 주에 {topic} 관련 자료를 살펴보았고, 그 결과를 함께 나누고 싶습니다.",
        "지난해에는 {topic} 쪽에 충분히 신경을 쓰지 못했습니다.",
        "{topic} 논의에 참석하지 못하신 분들을 위해 짧게 요약합니다.",
        "여기 온 지 얼마 되지 않았는데, 처음 맡은 일이 바로 {topic} 담당이었습니다.",
        "몇 주 동안 조용했던 {topic} 관련 소식을 전합니다.",
    ],
    "middles": [
        "일은 거의 끝났고, 날짜만 한 번 더 확인해 주실 분이 필요합니다.",
        "비용은 봄에 합의한 범위를 넘지 않습니다.",
        "두 가지 제안이 나왔는데 어느 쪽이 좋은지 알려 주세요.",
        "목록은 안내 데스크 옆에 붙어 있고, 공유 폴더에도 올려 두었습니다.",
        "먼저 몇 사람이 써 보았는데 아무도 예전 방식으로 돌아가고 싶어 하지 않았습니다.",
        "남은 문제는 장소입니다. 지금 방은 서른 명이 넘으면 좁습니다.",
        "늦게까지 남아 준비해 주신 2층 분들께 감사드립니다.",
        "알고 보니 간단한 점검표 하나면 충분했습니다.",
        "다음 담당자가 처음부터 다시 시작하지 않도록 순서를 적어 두었습니다.",
        "비가 오면 실내로 옮기고, 나머지는 그대로 진행합니다.",
        "일부 숫자가 2년 전 것이어서 최신 자료로 바꾸었습니다.",
        "석 달 동안 해 보고 계속할지는 함께 정하겠습니다.",
    ],
    "closings": [
        "함께하고 싶은 분은 금요일까지 연락해 주세요.",
        "따끔한 의견도 환영합니다.",
        "월말에 다시 소식 전하겠습니다.",
        "궁금한 점이 있으면 언제든지 제 자리로 와 주세요.",
        "그날 뵙겠습니다!",
        "기다려 주셔서 고맙습니다.",
        "이 글이 필요한 분이 계시면 전해 주세요.",
        "다음 모임은 매달 첫째 화요일 오후 네 시입니다.",
    ],
}
