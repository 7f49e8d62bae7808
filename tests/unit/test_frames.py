"""One form for the usual ways of asking one question, and different forms for different questions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groat.cache.identity import exact_text
from groat.text import question_form

SAME_EN = """
How do I reset my password? | How can I reset my password?
How do I reset my password? | How to reset my password
How can I reset my password? | How does one reset my password?
How could I cancel the order? | How do I cancel the order?
What is the way to cancel the order? | How can I cancel the order?
What's the way to cancel the order? | How to cancel the order?
What is the procedure to change a plan? | How do I change a plan?
What is the process to change a plan? | How can I change a plan?
What are the steps to change a plan? | How to change a plan?
What is the method to change a plan? | How do I change a plan?
How do I pay? | How can I pay?
How can one pay by card? | How does one pay by card?
How do I get a refund? | How can I get a refund?
How do I get to the airport? | How can I get to the airport?
How do I find out my balance? | How to find out my balance?
How do I know if it worked? | How can I know if it worked?
How do I use 2 meters with one account? | How can I use 2 meters with one account?
How do I lose weight? | How can I lose weight?
Please, how do I return a plug? | Hi, how can I return a plug? Thanks!
Can you tell me how to return a plug? | How do I return a plug?
Could you please tell me how I return a plug? | how I return a plug
Can you explain how to return a plug? | How can I return a plug?
Could someone explain to me how to return a plug? | How do I return a plug?
Does anyone know how to return a plug? | How to return a plug?
Can anybody tell me where to find the code? | Where can I find the code?
Would you show me how to pair the sensor? | How do I pair the sensor?
Show me how to pair the sensor | How can I pair the sensor?
Explain to me how to pair the sensor | How do I pair the sensor
I need to know how to pair the sensor | How can I pair the sensor?
I would like to know how to pair the sensor | How to pair the sensor?
I'd like to know what the limit is | What the limit is
So, how do I pair the sensor? | How can I pair the sensor?
OK, what is the limit? | What's the limit?
Well, where do I find the code? | Where can I find the code?
Where do I find my customer number? | Where can I find my customer number?
Where could I find my customer number? | Where to find my customer number?
Where can I buy a battery? | Where do I buy a battery?
Where do I see my bills? | Where can I see my bills?
Where can I download the app? | Where do I download the app?
Where do I change my address? | Where to change my address?
Where can I sign up? | Where do I sign up?
Where can I submit a reading? | Where do I submit a reading?
What's the price of a plug? | What is the price of a plug?
Whats the price of a plug? | What is the price of a plug?
What’s the price of a plug? | What's the price of a plug?
Who's the owner of the account? | Who is the owner of the account?
Where's the serial number? | Where is the serial number?
When's the next bill due? | When is the next bill due?
How's the price calculated? | How is the price calculated?
Why isn't the meter online? | Why is not the meter online?
Why doesn't the plug start? | Why doesnt the plug start?
I can't log in | I cannot log in
I can not log in | I can't log in
The app won't open, why? | The app will not open, why?
I'm locked out, what now? | I am locked out, what now?
They're offline, what now? | They are offline, what now?
I've paid twice, what now? | I have paid twice, what now?
It's broken, what now? | It is broken, what now?
Why haven't I got a bill? | Why have not I got a bill?
What're the limits? | What are the limits?
Do I have to sign the contract? | Do I need to sign the contract?
Do I have to be at home? | Do I need to be at home?
"""

OTHER_EN = """
How do I pay? | How did I pay?
How can I pay by card? | Can I pay by card?
How can I use two meters? | May I use two meters?
How do I cancel? | Why do I cancel?
How do I cancel? | When do I cancel?
How do I cancel? | Do I cancel?
How do I cancel? | How do you cancel?
How can I help? | How can you help?
How do I protect my data? | How do you protect my data?
How do I contact him? | How does he contact me?
How do I look? | How can I look?
How do I sound on the phone? | How to sound on the phone
How do I feel better? | How can I feel better?
How do I come across? | How can I come across?
How do I compare with others? | How can I compare with others?
How can I be charged twice? | How to be charged twice
How can I still owe money? | How to still owe money
How can I owe 40 pounds? | How do I owe 40 pounds?
How can I not love you? | How to not love you
How can I get charged twice? | How do I get charged twice?
How can I possibly pay this? | How do I possibly pay this?
How do I already have a balance? | How can I already have a balance?
How do I need to format it? | How can I need to format it?
How should I pay? | How do I pay?
How would I pay? | How can I pay?
How might I pay? | How do I pay?
How much do I pay? | How do I pay?
How often do I pay? | How can I pay?
How long do I pay? | How do I pay?
How many can I pay? | How can I pay?
How come I pay? | How can I pay?
How do I turn it on? | How do I turn it off?
How can I pay my bill? | How can I pay my bills?
How can I pay? | How can I pay now?
What is the best way to pay? | What is the way to pay?
What is the cheapest way to pay my bill? | How can I pay my bill?
What is the fastest way to pay my bill? | What is the best way to pay my bill?
What are the ways to pay my bill? | What is the way to pay my bill?
Is there a way to pay my bill? | What is the way to pay my bill?
What is the way to the station? | How to the station
What was the way to pay my bill? | What is the way to pay my bill?
What is the process? | How to process
What is the time needed to change a plan? | What is the process to change a plan?
What are the steps? | How to steps
Where do I live? | Where can I live?
Where do I smoke? | Where can I smoke?
Where do I park? | Where can I park?
Where can I work from? | Where do I work from?
Where do I stand? | Where can I stand?
Where did I find the code? | Where do I find the code?
Where do I find the code? | How do I find the code?
Where is the code? | Where can I find the code?
Do I have to pay? | Do I have a bill to pay?
Do I have to pay? | Did I have to pay?
Do I have to pay? | Can I pay?
Do I have to pay? | Must I not pay?
Do I need to pay? | Do you need to pay?
Don't I have to pay? | Do I have to pay?
Can't I pay? | Can I pay?
Isn't it free? | Is it free?
Why can't I pay? | Why can I pay?
What's happened to my order? | What is happened to my order?
What does "don't" mean? | What does "do not" mean?
How do you spell don't? | How do you spell do not?
Is the right spelling don't? | Is the right spelling do not?
Who sang "I'm free"? | Who sang "I am free"?
Is 'can't' a word? | Is 'cannot' a word?
What is the meaning of won't? | What is the meaning of will not?
Let me know when my order ships | When my order ships
Is it true that I can't pay? | Is it true that I can pay?
I can not only pay but also save | I cannot only pay but also save
What is its price? | What is it's price?
Do you know how to pay? | Do I know how to pay?
Explain the bill | Show me the bill
"""

SAME_ZH = """
怎么退款？ | 如何退款？
怎么退款？ | 怎样退款？
怎么退款 | 咋退款
怎么退款 | 怎么样退款
怎么样才能退款 | 怎么才能退款
怎么样才能退款 | 如何才能退款
怎样才能退款 | 怎么才可以退款
我怎么退款 | 怎么退款
我要怎么退款 | 如何退款
我该怎么退款 | 怎样退款
我应该如何退款 | 怎么退款
怎么退款呢？ | 怎么退款
怎么退款啊？ | 如何退款
怎么退款呀 | 怎样退款哦
请问怎么退款？ | 如何退款？谢谢
能不能告诉我怎么退款 | 怎么退款
可以告诉我一下如何退款吗 | 如何退款吗
谁知道怎么退款 | 有谁知道怎么退款啊
有人知道怎么退款吗 | 怎么退款吗
谁能告诉我如何退款 | 怎么退款
想咨询一下怎么退款 | 怎么退款
我想了解怎么退款 | 如何退款
問一下怎麼退款 | 如何退款
请问如何修改密码 | 怎么修改密码
怎么修改登录密码 | 如何修改登录密码呢
密码怎么修改 | 密码如何修改
密码该怎么修改 | 密码怎样修改
微信怎么绑定银行卡 | 微信如何绑定银行卡
怎么取消自动续费 | 如何取消自动续费
怎么还款 | 如何还款
怎么提高额度 | 怎样提高额度
怎么联系客服 | 如何联系客服
怎么查余额 | 如何查余额
怎么用积分 | 如何用积分
怎么开通会员 | 怎样开通会员
怎么申请发票 | 如何申请发票呢
怎么安装插座 | 怎样安装插座
怎样让电池更耐用 | 如何让电池更耐用
怎样不被打扰 | 如何不被打扰
怎么才能不被打扰 | 怎样才能不被打扰
怎么样才能有额度 | 如何才能有额度
修改密码的方法是什么 | 怎么修改密码
申请发票的流程是什么 | 如何申请发票
取消订单的步骤是什么 | 怎样取消订单
哪里可以下载软件 | 在哪里下载软件
在哪儿下载软件 | 哪里能下载软件
在哪下载软件 | 在哪里可以下载软件
发票在哪里查看 | 发票在哪儿可以查看
在哪可以买电池 | 在哪里买电池
客户编号在哪 | 客户编号在哪里
客户编号在哪儿 | 客户编号在哪里呢
什么时候发货 | 何时发货
啥时候发货 | 什么时候发货啊
为什么没发货 | 为何没发货
为啥没发货 | 为什么没发货呢
咋没发货 | 怎么没发货
能否开发票 | 能不能开发票
可否开发票 | 可不可以开发票
这款插座怎么样 | 这款插座怎样
这款插座如何 | 这款插座怎么样啊
密码忘了怎么办 | 密码忘了该怎么办
密码忘了咋办 | 密码忘了应该怎么办呢
有什么优惠 | 有啥优惠呢
多少钱啊 | 多少钱呢
押金多少钱呀 | 押金多少钱
谁可以用 | 谁可以用呢
能不能退呢 | 能不能退
可以退吗 | 可以退吗？谢谢
"""

OTHER_ZH = """
怎么没到账 | 如何没到账
怎么还没到账 | 如何到账
怎么这么慢 | 如何这么慢
怎么登录不了 | 如何登录
怎么退款了 | 如何退款
怎么退款失败 | 如何退款失败
怎么支付失败 | 如何支付
怎么取消不了 | 怎么取消
怎么扣钱了 | 如何扣钱
怎么被注销 | 如何被注销
怎么会取消订单 | 如何取消订单
怎么要付款 | 如何付款
怎么能退款 | 如何退款
怎么又付款 | 如何付款
怎么就关闭 | 如何关闭
怎么在扣费 | 如何扣费
怎么总是要验证 | 如何验证
怎么更新这么慢 | 如何更新
怎么更新慢 | 如何更新慢
怎么付款过 | 如何付款
怎么重复付款 | 如何重复付款
你怎么取消订单 | 你如何取消订单
你们怎么退款 | 怎么退款
他怎么退款 | 他如何退款
商家怎么取消订单 | 商家如何取消订单
系统怎么取消订单 | 系统如何取消订单
怎么联系我 | 如何联系我
怎么联系你们 | 怎么联系我们
怎么查我 | 如何查我
怎么做梦 | 如何做梦
怎么计算的 | 如何计算的
怎么退款 | 退款
怎样使用优惠 | 怎样才能使用优惠
怎么退款 | 能退款吗
怎么退款 | 为什么退款
怎么退款 | 什么时候退款
怎么退款 | 哪里退款
怎么退款 | 怎么退货
怎么退款 | 怎么没退款
怎么退款 | 怎么办
怎么开通 | 怎么关闭
怎么改 | 怎么改成
怎么做 | 怎么做好
密码怎么改 | 密码是什么
怎么了 | 怎么样
怎么样 | 如何
密码如何 | 如何密码
怎么办 | 如何办
怎么办理 | 怎么办
后来怎么样了 | 后来怎么样
我怎么样 | 我怎么
不管怎样退款 | 不管如何退款
无论怎样都行 | 无论如何都行
在哪里下载 | 从哪里下载
在哪家下载 | 在哪里下载
你在哪里买的 | 你在哪里买
哪里可以停车 | 在哪里停车
哪里能抽烟 | 哪里抽烟
在哪里下载不了 | 在哪里下载
你哪里下载 | 哪里下载
去哪里买 | 在哪里买
可以退吗 | 可以退
可以退吧 | 可以退吗
能不能退 | 能退
能退吗 | 不能退吗
苹果呢 | 苹果
那苹果呢 | 那苹果
退款吧 | 退款
为何物 | 为什么物
因为何种原因退款 | 因为什么种原因退款
以为何人 | 以为什么人
啥是什么意思 | 什么是什么意思
哪儿怎么读 | 哪里怎么读
“咋”是方言吗 | “怎么”是方言吗
这个啊字怎么念 | 这个字怎么念
为啥的英语 | 为什么的英语
能不能告诉我密码 | 密码
谁知道密码 | 密码
申请发票的方法有哪些 | 申请发票的方法是什么
申请发票的时间是什么 | 申请发票的流程是什么
令人咋舌 | 令人怎么舌
"""


def pairs(table: str) -> list[tuple[str, str]]:
    return [(a, b) for a, b in (line.split(" | ") for line in table.strip().splitlines())]


@pytest.mark.parametrize(("a", "b"), pairs(SAME_EN) + pairs(SAME_ZH))
def test_the_way_of_asking_does_not_count(a: str, b: str) -> None:
    assert exact_text(a) == exact_text(b)


@pytest.mark.parametrize(("a", "b"), pairs(OTHER_EN) + pairs(OTHER_ZH))
def test_what_is_asked_counts(a: str, b: str) -> None:
    assert exact_text(a) != exact_text(b)


@pytest.mark.parametrize("table", [SAME_EN, OTHER_EN, SAME_ZH, OTHER_ZH])
def test_each_table_holds_sixty_pairs_and_none_twice(table: str) -> None:
    found = pairs(table)
    assert len(found) == len(set(found)) >= 60


_PIECES = st.sampled_from(
    "how what's where do can could i you one to the way is process steps tell me please so, don't can't not find pay my "
    "bill know have been 怎么 怎样 如何 怎么样 才能 咋 啥 哪 哪儿 在 为何 何时 能否 我 你 该 应该 要 退款 修改 密码 的 方法 "
    "是什么 呢 啊 吗 谢谢 请问 谁知道 能不能告诉我 办".split()
)
QUESTIONS = st.one_of(
    st.text(max_size=80), st.lists(_PIECES, max_size=9).map(" ".join), st.lists(_PIECES, max_size=9).map("".join)
)


@given(QUESTIONS)
def test_the_form_of_a_form_is_the_form_itself(text: str) -> None:
    assert question_form(question_form(text)) == question_form(text)


@given(QUESTIONS)
def test_no_question_is_emptied(text: str) -> None:
    assert question_form(text) or not any(char.isalnum() for char in text)
